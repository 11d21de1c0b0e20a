import type { Compare, Op } from './contract.ts'
import { StoreError } from './contract.ts'
import { KeyEntry, live, Version } from './version.ts'

export interface TxnRequest {
  readonly compares: readonly Compare[]
  readonly onSuccess: readonly Op[]
  readonly onFailure: readonly Op[]
}

/** What a transaction is evaluated against: committed versions under those that wait to become durable. */
export interface TxnView {
  /** The newest version of the key, tombstones too. */
  newest(key: string): Version | undefined
  hasLease(id: bigint): boolean
}

export interface TxnPlan {
  readonly succeeded: boolean
  readonly writes: readonly Version[]
  /** One per operation. */
  readonly results: readonly (Version | undefined)[]
  /** The newest revision the outcome depends on; above the committed revision: it must not be told before that is durable. */
  readonly newestSeen: number
}

/**
 * What the transaction does if it happens at `revision`. Operations run in order; a `get` sees the writes before it.
 *
 * @throws StoreError `LeaseNotFound`
 */
export function planTxn(request: TxnRequest, view: TxnView, revision: number): TxnPlan {
  let newestSeen = 0
  const written = new Map<string, Version>()
  const newest = (key: string): Version | undefined => {
    const own = written.get(key)
    if (own) return own
    const version = view.newest(key)
    if (version) newestSeen = Math.max(newestSeen, version.modRevision)
    return version
  }
  const succeeded = request.compares.every((compare) => holds(compare, live(newest(compare.key))))
  const results = (succeeded ? request.onSuccess : request.onFailure).map((op) => {
    const latest = newest(op.key)
    const before = live(latest)
    const position = { revision, index: written.size }
    if (op.type === 'put') {
      if (op.leaseId !== undefined && op.leaseId !== 0n && !view.hasLease(op.leaseId)) throw leaseNotFound(op.leaseId)
      written.set(op.key, putVersion(op, latest, position))
    } else if (op.type === 'delete' && before) {
      written.set(op.key, tombstone(before.entry, position))
    }
    return before
  })
  return { succeeded, writes: [...written.values()], results, newestSeen }
}

export function tombstone(entry: KeyEntry, position: { readonly revision: number; readonly index: number }): Version {
  return new Version(entry, { modRevision: position.revision, index: position.index, createRevision: 0, version: 0, leaseId: 0 })
}

export function leaseNotFound(id: bigint): StoreError {
  return new StoreError('LeaseNotFound', `lease ${id} does not exist: it was revoked or has expired`)
}

function putVersion(
  op: Op & { type: 'put' },
  latest: Version | undefined,
  position: { readonly revision: number; readonly index: number },
): Version {
  const before = live(latest)
  const fields = {
    modRevision: position.revision,
    index: position.index,
    createRevision: before?.createRevision ?? position.revision,
    version: (before?.version ?? 0) + 1,
    leaseId: Number(op.leaseId ?? 0n),
  }
  return new Version(latest?.entry ?? new KeyEntry(ownCopy(op.key)), fields, op.value)
}

// a key glued from parts or cut out of a URL keeps those alive as long as it lives; a stored key lives long
const ownCopy = (text: string): string => Buffer.from(text).toString()

function holds(compare: Compare, version: Version | undefined): boolean {
  const actual = version?.modRevision ?? 0
  const wanted = Number(compare.revision)
  switch (compare.op) {
    case '=':
      return actual === wanted
    case '!=':
      return actual !== wanted
    case '>':
      return actual > wanted
    case '<':
      return actual < wanted
  }
}
