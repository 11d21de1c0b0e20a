import type { LabelSelector, Scale } from '../../../api/generated/types.ts'
import type { ScaleSubresource } from '../../../api/kind.ts'
import { cloneJson } from '../../../api/meta/clone.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { getPath, setPath } from '../../../api/meta/path.ts'
import { formatLabels, formatLabelSelector } from '../../../api/meta/selector.ts'
import type { ServerResponse } from '../contract.ts'
import { badRequest, decodeKeyValue, getObject, invalid, resourceOf, updateObject } from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { writeRequestOf, type Call } from './call.ts'
import { decodeObjectOf } from './decode-object.ts'
import { readPatch } from './patch-handler.ts'
import { writeOptions } from './query-options.ts'
import { renderValue } from './render.ts'

const SCALES = resourceOf({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  namespaced: true,
  schema: 'io.k8s.api.autoscaling.v1.Scale',
})

export async function getScaleHandler(call: Call): Promise<ServerResponse> {
  const { resource, context, namespace, name } = call
  const kv = await getObject(context.store, resource, { namespace, name })
  return renderValue(scaleOf(decodeKeyValue(resource, kv), scalePaths(call)))
}

export async function updateScaleHandler(call: Call): Promise<ServerResponse> {
  const { dryRun, fieldValidation } = writeOptions(call.request, 'UpdateOptions')
  const decoded = decodeBody(call.request)
  if (!decoded) throw badRequest('the request has no body: send the Scale')
  const { warn } = writeRequestOf(call, dryRun)
  const scale = decodeObjectOf(SCALES, decoded, { fieldValidation, warn }) as Scale
  if (scale.metadata.name && scale.metadata.name !== call.name) {
    throw badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${call.name})`)
  }
  return writeScale(call, dryRun, () => scale)
}

export async function patchScaleHandler(call: Call): Promise<ServerResponse> {
  const { dryRun, fieldValidation } = writeOptions(call.request, 'PatchOptions')
  const patch = readPatch(call.request, SCALES.kind.schema)
  const { warn } = writeRequestOf(call, dryRun)
  return writeScale(call, dryRun, (current) => {
    const value = patch.apply(scaleOf(current, scalePaths(call)))
    return decodeObjectOf(SCALES, { value, duplicates: patch.duplicates }, { fieldValidation, warn }) as Scale
  })
}

async function writeScale(call: Call, dryRun: boolean, make: (current: KubeObject) => Scale): Promise<ServerResponse> {
  const paths = scalePaths(call)
  const stored = await updateObject(call.context, writeRequestOf(call, dryRun), (current) => {
    const scale = make(current)
    const replicas = scale.spec?.replicas ?? 0
    if (replicas < 0) {
      const message = `Invalid value: ${replicas}: must be greater than or equal to 0`
      throw invalid(SCALES.kind, call.name, [{ type: 'FieldValueInvalid', field: 'spec.replicas', message }])
    }
    const next = cloneJson(current)
    setPath(next, paths.specReplicasPath, replicas)
    const { uid, resourceVersion } = scale.metadata
    next.metadata = { ...next.metadata, ...(uid ? { uid } : {}), resourceVersion }
    return next
  })
  return renderValue(scaleOf(stored.object, paths))
}

function scalePaths(call: Call): ScaleSubresource {
  return call.resource.kind.scale as ScaleSubresource
}

/** The autoscaling/v1 Scale of an object that can be scaled. */
function scaleOf(object: KubeObject, paths: ScaleSubresource): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.selectorPath === undefined ? '' : selectorText(getPath(object, paths.selectorPath))
  const wanted = getPath(object, paths.specReplicasPath)
  const running = getPath(object, paths.statusReplicasPath)
  return {
    kind: 'Scale',
    apiVersion: SCALES.apiVersion,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: typeof wanted === 'number' && wanted > 0 ? { replicas: wanted } : {},
    status: { replicas: typeof running === 'number' ? running : 0, ...(selector === '' ? {} : { selector }) },
  }
}

/** Selectors of replication controllers are plain maps of labels, all others are selector objects. */
function selectorText(selector: unknown): string {
  if (typeof selector === 'string') return selector
  if (typeof selector !== 'object' || selector === null) return ''
  const structured = 'matchLabels' in selector || 'matchExpressions' in selector
  return structured ? formatLabelSelector(selector as LabelSelector) : formatLabels(selector as Record<string, string>)
}
