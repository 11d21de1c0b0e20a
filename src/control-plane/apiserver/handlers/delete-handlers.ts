import type { FieldError } from '../../../api/kind.ts'
import { StatusError } from '../../../base/errors.ts'
import type { ServerResponse } from '../contract.ts'
import {
  badRequest,
  decodeKeyValue,
  deleteObject,
  invalid,
  scanObjects,
  splitKey,
  type Deleted,
  type DeleteOptions,
  type PropagationPolicy,
  type Resource,
} from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { renderingOf, writeRequestOf, type Call } from './call.ts'
import { asRecord } from './decode-object.ts'
import { listOptions } from './list-options.ts'
import { dryRunOf, firstOf, flagOf, notSupported } from './query-options.ts'
import { ListRenderer, renderObject, renderValue } from './render.ts'

/** Deletions of a deletecollection that run at a time. Source: k8s.io/apiserver DeleteCollectionWorkers is 1; ours wait for one disk. */
const WORKERS = 16

export async function deleteHandler(call: Call): Promise<ServerResponse> {
  const rendering = renderingOf(call)
  const { options, dryRun } = readDeleteOptions(call, bodyOf(call))
  const deleted = await deleteObject(call.context, writeRequestOf(call, dryRun), options)
  if (deleted.removed) return renderValue(successStatus(call.resource, deleted))
  return renderObject(deleted.stored, rendering, options.propagationPolicy === 'Foreground' ? 202 : 200)
}

export async function deleteCollectionHandler(call: Call): Promise<ServerResponse> {
  const { context, resource } = call
  const rendering = renderingOf(call)
  const { options, dryRun } = readDeleteOptions(call, bodyOf(call))
  const { selection, limit, token } = listOptions(call.request, { ...call.info, verb: 'list' }, resource.kind)
  const list = new ListRenderer(resource, rendering)
  const targets: { namespace: string; name: string }[] = []
  const result = await scanObjects(context.store, resource, { selection, limit, token }, (kv) => {
    list.add({ value: kv.value, revision: kv.modRevision, object: () => decodeKeyValue(resource, kv) })
    targets.push(splitKey(resource, kv.key))
  })
  const next = targets.values()
  const work = async (): Promise<void> => {
    for (const target of next) await deleteIfThere({ ...call, ...target }, options, dryRun)
  }
  await Promise.all(Array.from({ length: Math.min(WORKERS, targets.length) }, work))
  return list.finish({ resourceVersion: String(result.revision) })
}

async function deleteIfThere(call: Call, options: DeleteOptions, dryRun: boolean): Promise<void> {
  try {
    await deleteObject(call.context, writeRequestOf(call, dryRun), options)
  } catch (error) {
    // gone already: what was wanted
    if (!(error instanceof StatusError) || error.reason !== 'NotFound') throw error
  }
}

/** What a deletion without a trace answers. Source: k8s.io/apiserver handlers.DeleteResource. */
export function successStatus(resource: Resource, deleted: Deleted): object {
  const { name, uid } = deleted.stored.object.metadata
  const details = { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}

function bodyOf(call: Call): Record<string, unknown> {
  const decoded = decodeBody(call.request)
  return decoded ? asRecord(decoded.value, 'DeleteOptions') : {}
}

/**
 * Reads DeleteOptions from the body, and from the query where there is no body.
 * @throws {StatusError} `BadRequest`, `Invalid`
 */
export function readDeleteOptions(
  call: Pick<Call, 'request'>,
  body: Record<string, unknown>,
): { readonly options: DeleteOptions; readonly dryRun: boolean } {
  const { query } = call.request
  const kind = body['kind']
  if (kind !== undefined && kind !== 'DeleteOptions') throw badRequest(`expected DeleteOptions, got ${JSON.stringify(kind)}`)
  const errors: FieldError[] = []
  const dryRun = dryRunOf(query, errors) || dryRunOf({ dryRun: stringsOf(body['dryRun']) }, errors)
  const grace = numberOf(body['gracePeriodSeconds'] ?? firstOf(query, 'gracePeriodSeconds'))
  const propagationPolicy = policyOf(body, call, errors)
  const preconditions = preconditionsOf(body['preconditions'])
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors)
  const options = {
    // upstream takes a negative period for "as soon as possible, but gracefully"
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace < 0 ? 1 : grace }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(preconditions === undefined ? {} : { preconditions }),
  }
  return { options, dryRun }
}

function policyOf(body: Record<string, unknown>, call: Pick<Call, 'request'>, errors: FieldError[]): PropagationPolicy | undefined {
  const { query } = call.request
  const policy = body['propagationPolicy'] ?? firstOf(query, 'propagationPolicy')
  const inQuery = firstOf(query, 'orphanDependents') === undefined ? undefined : flagOf(query, 'orphanDependents')
  const orphan = body['orphanDependents'] ?? inQuery
  if (policy !== undefined && orphan !== undefined) {
    const text = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`
    errors.push({ type: 'FieldValueInvalid', field: 'propagationPolicy', message: text })
  }
  if (orphan !== undefined && policy === undefined) return orphan ? 'Orphan' : 'Background'
  if (policy === undefined || policy === 'Orphan' || policy === 'Background' || policy === 'Foreground') return policy
  errors.push(
    notSupported('propagationPolicy', typeof policy === 'string' ? policy : JSON.stringify(policy), ['Foreground', 'Background', 'Orphan']),
  )
  return undefined
}

function preconditionsOf(value: unknown): DeleteOptions['preconditions'] {
  if (value === undefined || value === null) return undefined
  const { uid, resourceVersion } = asRecord(value, 'Preconditions')
  return {
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
  }
}

function numberOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw badRequest(`gracePeriodSeconds: ${JSON.stringify(value)} is not a whole number`)
  return number
}

function stringsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}
