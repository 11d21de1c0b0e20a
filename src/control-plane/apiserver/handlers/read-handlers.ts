import type { ServerResponse } from '../contract.ts'
import { decodeKeyValue, encodeContinue, fromStoreError, getObject, scanObjects, waitUntilFresh } from '../registry/index.ts'
import { renderingOf, type Call } from './call.ts'
import { listOptions, type ListOptions } from './list-options.ts'
import { revisionOf } from './query-options.ts'
import { ListRenderer, renderObject } from './render.ts'

export async function getHandler(call: Call): Promise<ServerResponse> {
  const { resource, context, namespace, name } = call
  const rendering = renderingOf(call)
  const asked = revisionOf(call.request.query)
  if (asked !== undefined && asked > 0n) await waitUntilFresh(context.store, context.clock, asked)
  const kv = await getObject(context.store, resource, { namespace, name })
  const stored = {
    resource,
    value: kv.value,
    revision: kv.modRevision,
    get object() {
      return decodeKeyValue(resource, kv)
    },
  }
  return renderObject(stored, rendering)
}

export async function listHandler(call: Call): Promise<ServerResponse> {
  const { resource, context } = call
  const rendering = renderingOf(call)
  const options = listOptions(call.request, call.info, resource.kind)
  const revision = await pinnedRevision(call, options)
  const list = new ListRenderer(resource, rendering)
  const { selection, limit, token } = options
  const result = await scanObjects(context.store, resource, { selection, limit, token, revision }, (kv, object) => {
    list.add({ value: kv.value, revision: kv.modRevision, object: () => object ?? decodeKeyValue(resource, kv) })
  })
  return list.finish({
    resourceVersion: String(result.revision),
    ...(result.next === undefined ? {} : { continue: encodeContinue({ revision: result.revision, from: result.next }) }),
    ...(result.remaining === undefined ? {} : { remainingItemCount: result.remaining }),
  })
}

/**
 * The revision a list must show, or undefined for the present, which is never older than what was asked for.
 * Source: the table of resourceVersion semantics in the Kubernetes API concepts.
 */
async function pinnedRevision(call: Call, options: ListOptions): Promise<bigint | undefined> {
  const { resourceVersion, match, limit } = options
  if (resourceVersion === undefined || resourceVersion === 0n) return undefined
  const { store, clock } = call.context
  await waitUntilFresh(store, clock, resourceVersion).catch((error: unknown) => {
    throw fromStoreError(error)
  })
  // a page size alone means the page is to continue what was read at that revision
  const exact = match === 'Exact' || (match === '' && limit > 0)
  return exact ? resourceVersion : undefined
}
