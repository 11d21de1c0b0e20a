import { setImmediate as nextTurn } from 'node:timers/promises'
import { sleep, type Clock } from '../../../base/clock.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { StoreError, type KeyValue, type ListResult, type Store } from '../../store/contract.ts'
import { ExpiredContinueError, type ContinueToken } from './continue-token.ts'
import { decodeKeyValue } from './object-codec.ts'
import { splitKey, storageKey, storagePrefix, type Resource } from './resource.ts'
import type { Selection } from './selection.ts'
import { badRequest, fromStoreError, notFound, resourceVersionTooLarge } from './status-errors.ts'

/** How long a read waits for a revision that has not happened yet. Source: k8s.io/apiserver cacher blockTimeout. */
const FRESH_TIMEOUT_MS = 3000
const FRESH_POLL_MS = 50
/** Keys read at a time, so that a long list leaves the process responsive. */
const PAGE = 2000

/** @throws {StatusError} `NotFound` */
export async function getObject(
  store: Store,
  resource: Resource,
  at: { readonly namespace: string; readonly name: string },
): Promise<KeyValue> {
  const kv = await store.get(storageKey(resource, at.namespace, at.name))
  if (!kv) throw notFound(resource, at.name)
  return kv
}

/** Waits until the store has reached `revision`. @throws {StatusError} `Timeout`, cause `ResourceVersionTooLarge`, after 3 s */
export async function waitUntilFresh(store: Store, clock: Clock, revision: bigint): Promise<void> {
  const end = clock.monotonic() + FRESH_TIMEOUT_MS
  for (;;) {
    const current = (await store.status()).revision
    if (current >= revision) return
    if (clock.monotonic() >= end) throw resourceVersionTooLarge(revision, current)
    await sleep(clock, FRESH_POLL_MS)
  }
}

export interface Scan {
  readonly selection: Selection
  /** Most objects; 0: all. */
  readonly limit: number
  readonly token?: ContinueToken | undefined
  /** Absent: the state of now. */
  readonly revision?: bigint | undefined
}

export interface ScanResult {
  readonly revision: bigint
  /** Where the next page begins, without the prefix; absent on the last. See `encodeContinue`. */
  readonly next?: string
  /** Objects after this page; absent where selectors make it unknown. */
  readonly remaining?: number
}

/** One object that matches. `object` has been parsed only if a selector needed it. */
export type Visit = (kv: KeyValue, object: KubeObject | undefined) => void

/**
 * Visits the selected objects in the order of their keys, all at one revision.
 * @throws {StatusError} `Expired` when that revision is gone; for a continued list with a token to go on
 */
export async function scanObjects(store: Store, resource: Resource, scan: Scan, visit: Visit): Promise<ScanResult> {
  try {
    if (scan.selection.name !== undefined && !scan.token && hasOneKey(resource, scan.selection))
      return await visitOne(store, resource, scan, visit)
    return await visitPages(store, resource, scan, visit)
  } catch (error) {
    if (scan.token && error instanceof StoreError && error.code === 'Compacted') throw new ExpiredContinueError(scan.token.from)
    throw fromStoreError(error)
  }
}

function hasOneKey(resource: Resource, selection: Selection): boolean {
  return !resource.kind.namespaced || selection.namespace !== ''
}

async function visitOne(store: Store, resource: Resource, scan: Scan, visit: Visit): Promise<ScanResult> {
  const { namespace, name, matches } = scan.selection
  // the state of now has to be pinned before it is read: an empty answer has a revision too
  const revision = scan.revision ?? (await store.status()).revision
  const kv = await store.get(storageKey(resource, namespace, name as string), revision)
  const object = kv && matches ? decodeKeyValue(resource, kv) : undefined
  if (kv && (!object || matches?.(object))) visit(kv, object)
  return { revision }
}

async function visitPages(store: Store, resource: Resource, scan: Scan, visit: Visit): Promise<ScanResult> {
  const { selection, token, limit } = scan
  const prefix = storagePrefix(resource, selection.namespace)
  const filtered = selection.matches !== undefined || selection.name !== undefined
  let revision = token ? (token.revision > 0n ? token.revision : undefined) : scan.revision
  let from = token && startKey(prefix, token)
  let taken = 0
  for (;;) {
    const size = limit === 0 || filtered ? PAGE : Math.min(PAGE, limit - taken)
    const page = await store.list(prefix, listOptions(size, from, revision))
    revision = page.revision
    const { last, full, count } = visitPage(resource, page, { selection, most: limit === 0 ? Infinity : limit - taken }, visit)
    taken += count
    if (full && last !== undefined) return endOfPage({ prefix, revision, page, last, filtered })
    if (page.next === undefined) return { revision }
    from = page.next
    await nextTurn()
  }
}

function listOptions(limit: number, from: string | undefined, revision: bigint | undefined): Parameters<Store['list']>[1] {
  return { limit, ...(from === undefined ? {} : { from }), ...(revision === undefined ? {} : { revision }) }
}

/** `full`: as many as wanted have been found, the last of them at `last`. */
function visitPage(
  resource: Resource,
  page: ListResult,
  want: { readonly selection: Selection; readonly most: number },
  visit: Visit,
): { readonly count: number; readonly full: boolean; readonly last: string | undefined } {
  const { name, matches } = want.selection
  let count = 0
  let last: string | undefined
  for (const kv of page.items) {
    if (name !== undefined && splitKey(resource, kv.key).name !== name) continue
    const object = matches && decodeKeyValue(resource, kv)
    if (object && !matches(object)) continue
    visit(kv, object)
    last = kv.key
    if (++count >= want.most) break
  }
  return { count, full: count >= want.most, last }
}

function endOfPage(end: {
  readonly prefix: string
  readonly revision: bigint
  readonly page: ListResult
  readonly last: string
  readonly filtered: boolean
}): ScanResult {
  const { prefix, revision, page, last, filtered } = end
  const isLast = page.next === undefined && page.items.at(-1)?.key === last
  if (isLast) return { revision }
  // '\0' is the least character: the first key after `last`
  return { revision, next: `${last.slice(prefix.length)}\0`, ...(filtered ? {} : { remaining: page.remaining }) }
}

function startKey(prefix: string, token: ContinueToken): string {
  if (token.from.startsWith('/') || token.from.includes('..')) throw badRequest('continue key is not valid: it leaves the list')
  return prefix + token.from
}
