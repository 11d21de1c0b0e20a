import type { Version } from './version.ts'

/** Everything the store keeps beside the records; written with every commit. */
export interface StoreMeta {
  readonly clusterId: string
  /** Persisted because the records alone would let it go backwards once a trailing tombstone is compacted. */
  readonly lastRevision: number
  readonly compactRevision: number
}

/** Name of a record: the revision and the position inside its transaction. */
export interface RecordId {
  readonly modRevision: number
  readonly index: number
}

/** A record as `scan` gives it. The value stays where it is, unless the backend has nowhere else to keep it. */
export interface StoredRecord extends RecordId {
  readonly key: string
  readonly createRevision: number
  /** 0: a tombstone. */
  readonly version: number
  readonly leaseId: number
}

export type LeaseChange =
  | { readonly type: 'grant'; readonly id: number; readonly ttlSeconds: number }
  | { readonly type: 'revoke'; readonly id: number }

/** What becomes durable together or not at all. */
export interface Commit {
  /** In the order of (modRevision, index), above everything committed before. */
  readonly records: readonly Version[]
  /** Removing what is not there is no error: compaction is redone after a crash. */
  readonly removed: readonly RecordId[]
  readonly leases: readonly LeaseChange[]
  readonly meta: StoreMeta
}

/** What `open` found. */
export interface SavedState {
  /** Absent: the store is new. */
  readonly meta: StoreMeta | undefined
  readonly leases: readonly { readonly id: number; readonly ttlSeconds: number }[]
}

/**
 * Where commits go. One commit at a time; the store never commits again after one has failed, because a failed
 * fsync may have dropped dirty pages that a retry would call durable.
 */
export interface Backend {
  /** Whether `read` works. If not, the store keeps the values in memory. */
  readonly readsValues: boolean
  /** @throws StoreError `Corrupt` */
  open(): SavedState
  /** All records in the order of (modRevision, index). @throws StoreError `Corrupt` */
  scan(): Iterable<StoredRecord & { readonly value?: Uint8Array }>
  /** Resolves once the commit would survive a power cut. */
  commit(commit: Commit): Promise<void>
  /** A fresh copy of a committed value. @throws StoreError `Corrupt` */
  read(id: RecordId): Uint8Array
  /** Bytes on disk (or an estimate in memory). */
  sizeBytes(): number
  close(): Promise<void>
}
