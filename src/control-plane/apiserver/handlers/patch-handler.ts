import { StatusError } from '../../../base/errors.ts'
import { applyJsonPatch } from '../../../api/meta/json-patch.ts'
import { applyMergePatch } from '../../../api/meta/merge-patch.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { applyStrategicMergePatch } from '../../../api/meta/strategic-merge.ts'
import { patchSchemaOf } from '../../../api/schema/index.ts'
import type { ServerRequest, ServerResponse } from '../contract.ts'
import { badRequest, invalid, updateObject } from '../registry/index.ts'
import { contentTypeOf, decodeBody, unsupported } from './body.ts'
import { renderingOf, writeRequestOf, type Call } from './call.ts'
import { decodeObjectOf } from './decode-object.ts'
import { firstOf, writeOptions, type FieldValidation } from './query-options.ts'
import { renderObject } from './render.ts'

/** Patch types of built-in kinds, as `Content-Type` names them. */
export const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
] as const
export const APPLY_TYPE = 'application/apply-patch+yaml'

/** A decoded patch, ready to be applied as often as it takes. */
export interface Patch {
  /** A new value; `document` is not changed. */
  readonly apply: (document: object) => unknown
  /** Keys that the patch has twice. */
  readonly duplicates: readonly string[]
}

export async function patchHandler(call: Call): Promise<ServerResponse> {
  const rendering = renderingOf(call)
  const { dryRun, fieldValidation } = writeOptions(call.request, 'PatchOptions')
  const patch = readPatch(call.request, call.resource.kind.schema)
  const stored = await updateObject(call.context, writeRequestOf(call, dryRun), (current) =>
    patched(call, patch, { current, fieldValidation }),
  )
  return renderObject(stored, rendering)
}

function patched(call: Call, patch: Patch, on: { current: KubeObject; fieldValidation: FieldValidation }): KubeObject {
  const value = patch.apply(on.current)
  const { warn } = writeRequestOf(call, false)
  return decodeObjectOf(call.resource, { value, duplicates: patch.duplicates }, { fieldValidation: on.fieldValidation, warn })
}

/**
 * Reads the patch in a request. `schema` names the schema whose merge keys a strategic merge follows.
 * @throws {StatusError} `UnsupportedMediaType` for types this server does not know, `BadRequest`
 */
export function readPatch(request: ServerRequest, schema: string | undefined): Patch {
  const type = contentTypeOf(request)
  if (type === APPLY_TYPE) throw applyUnsupported()
  if (firstOf(request.query, 'force') !== undefined) {
    const message = 'Forbidden: may not be specified for non-apply patch'
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [{ type: 'FieldValueForbidden', field: 'force', message }])
  }
  const decoded = decodeBody(request, PATCH_TYPES)
  if (!decoded) throw badRequest('the request has no body: send the patch')
  const { value, duplicates } = decoded
  switch (type) {
    case 'application/json-patch+json':
      return { duplicates, apply: (document) => applyJsonPatch(document, value) }
    case 'application/merge-patch+json':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('a merge patch must be a JSON object')
      return { duplicates, apply: (document) => applyMergePatch(document, value) }
    case 'application/strategic-merge-patch+json': {
      const patchSchema = schema === undefined ? undefined : patchSchemaOf(schema)
      if (!patchSchema) throw unsupported(PATCH_TYPES.slice(0, 2))
      return { duplicates, apply: (document) => applyStrategicMergePatch(document, value, patchSchema) }
    }
    default:
      throw unsupported(PATCH_TYPES)
  }
}

/** The place of server-side apply: it needs managedFields, which nothing records yet. */
function applyUnsupported(): StatusError {
  const text =
    'server-side apply (application/apply-patch+yaml) is not supported by this server: use client-side apply (kubectl apply without --server-side), ' +
    `or a patch of type ${PATCH_TYPES.join(', ')}`
  return new StatusError('UnsupportedMediaType', text)
}
