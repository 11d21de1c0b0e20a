import { cloneJson } from '../../../api/meta/clone.ts'
import type { Namespace } from '../../../api/generated/types.ts'
import type { ServerResponse } from '../contract.ts'
import { badRequest, updateObject } from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { renderingOf, writeRequestOf, type Call } from './call.ts'
import { decodeObjectOf } from './decode-object.ts'
import { writeOptions } from './query-options.ts'
import { renderObject } from './render.ts'

/**
 * `PUT namespaces/x/finalize`: changes spec.finalizers and nothing else. With the last one gone a namespace that is being
 * deleted disappears.
 */
export async function finalizeHandler(call: Call): Promise<ServerResponse> {
  const rendering = renderingOf(call)
  const { dryRun, fieldValidation } = writeOptions(call.request, 'UpdateOptions')
  const decoded = decodeBody(call.request)
  if (!decoded) throw badRequest('the request has no body: send the namespace')
  const request = { ...writeRequestOf(call, dryRun), trusted: true }
  const sent = decodeObjectOf(call.resource, decoded, { fieldValidation, warn: request.warn }) as Namespace
  const stored = await updateObject(call.context, request, (current) => {
    const next = cloneJson(current) as Namespace
    const { uid, resourceVersion } = sent.metadata
    next.metadata = { ...next.metadata, ...(uid ? { uid } : {}), resourceVersion }
    next.spec = { ...next.spec, finalizers: sent.spec?.finalizers ?? [] }
    return next
  })
  return renderObject(stored, rendering)
}
