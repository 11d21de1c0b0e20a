/** A live value. Revisions are those of the store's single counter. */
export interface KeyValue {
  readonly key: string
  /** The caller must not change these bytes: they may be shared. */
  readonly value: Uint8Array
  readonly createRevision: bigint
  readonly modRevision: bigint
  /** 1 when created, +1 with each change. */
  readonly version: number
  /** 0n when no lease holds it. */
  readonly leaseId: bigint
}

/** True when the key's `modRevision` (0n: key absent) stands in relation `op` to `revision`. */
export interface Compare {
  readonly key: string
  readonly op: '=' | '>' | '<' | '!='
  readonly revision: bigint
}

export type Op =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly leaseId?: bigint }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'get'; readonly key: string }

/** One per Op: the value read by `get`, the value before the write for `put` and `delete`. */
export interface OpResult {
  readonly kv?: KeyValue
}

export interface TxnResult {
  readonly succeeded: boolean
  /** The revision of this transaction's writes; without writes the store's revision at evaluation. */
  readonly revision: bigint
  readonly results: readonly OpResult[]
}

export interface ListOptions {
  /** Most keys in the page; 0 or absent: all. */
  readonly limit?: number
  /** First key of the page (inclusive); must lie inside the prefix. */
  readonly from?: string
  /** State as of this revision. Absent: now. */
  readonly revision?: bigint
}

export interface ListResult {
  /** Revision the page shows. */
  readonly revision: bigint
  readonly items: readonly KeyValue[]
  /** Key to pass as `from` for the next page, absent on the last. */
  readonly next?: string
  /** Keys inside the prefix after this page. */
  readonly remaining: number
}

export interface StoreEvent {
  readonly type: 'put' | 'delete'
  readonly key: string
  /** For `delete`, `value` is the last value and `modRevision` the revision of the deletion. */
  readonly kv: KeyValue
  /** The value before, absent when the key was created by this event or when it has been compacted. */
  readonly previous?: KeyValue
}

/** Everything that happened to the watched prefix up to `revision`. Events of one revision are never split over two batches. */
export interface WatchBatch {
  readonly revision: bigint
  /** Empty in a progress notice: nothing happened up to `revision`. */
  readonly events: readonly StoreEvent[]
}

/** A watch; iterate it once. It ends when closed or aborted, and throws StoreError `Compacted` or `SlowWatcher`. */
export interface Watch extends AsyncIterable<WatchBatch> {
  close(): void
  /** Asks for a batch that tells the current revision even when nothing has happened. */
  requestProgress(): void
}

export interface WatchOptions {
  /** First revision wanted. Absent: from the store's revision + 1. */
  readonly fromRevision?: bigint
  /** Most events that may wait for a slow reader before the watch fails with `SlowWatcher`. Default 10,000. */
  readonly maxQueued?: number
  readonly signal?: AbortSignal
}

export interface StoreStatus {
  readonly revision: bigint
  readonly compactRevision: bigint
  readonly keys: number
  readonly sizeBytes: number
  /** Random, made with the data directory: tells a restored or replaced store from the one before. */
  readonly clusterId: string
  /** Set once a write failed for good (fsync error, disk full): writes are refused, reads go on. */
  readonly failure?: string
}

export interface Leases {
  /** @returns the id of a lease that lasts `ttlSeconds` (>= 1) after the grant or the last keepAlive */
  grant(ttlSeconds: number): Promise<bigint>
  /** @throws StoreError `LeaseNotFound` */
  keepAlive(id: bigint): Promise<void>
  /** Deletes the lease and, in one transaction, every key it holds. */
  revoke(id: bigint): Promise<void>
}

/**
 * The versioned key-value store: one revision counter, transactions with compares, watches from any revision that is
 * not compacted. A promise of `txn` is kept only once the write is durable. Semantics follow etcd v3.
 *
 * Every method throws StoreError; see `StoreErrorCode`.
 */
export interface Store {
  /** If all `compares` hold, runs `onSuccess`, else `onFailure`, atomically and at one revision. A key may be written once per transaction. */
  txn(compares: readonly Compare[], onSuccess: readonly Op[], onFailure: readonly Op[]): Promise<TxnResult>
  /** Absent when the key does not exist (at `revision`). Sees only durable writes. */
  get(key: string, revision?: bigint): Promise<KeyValue | undefined>
  list(prefix: string, options?: ListOptions): Promise<ListResult>
  /** Number of keys inside the prefix now. */
  count(prefix: string): Promise<number>
  watch(prefix: string, options?: WatchOptions): Watch
  /** Forgets history up to `revision`: older reads and watches then fail with `Compacted`. Live values stay. */
  compact(revision: bigint): Promise<void>
  readonly leases: Leases
  status(): Promise<StoreStatus>
  close(): Promise<void>
}

export type StoreErrorCode =
  /** The revision asked for is gone. */
  | 'Compacted'
  /** The revision asked for has not happened. */
  | 'FutureRevision'
  /** The watcher did not read fast enough and was dropped; watch again. */
  | 'SlowWatcher'
  | 'LeaseNotFound'
  /** Key longer than 4 KiB, value above 1.5 MiB, more than 128 ops, or a key written twice. */
  | 'InvalidArgument'
  /** Too many writes wait to become durable; retry later. */
  | 'Overloaded'
  /** The disk refused a write: nothing is written until a restart. Reads go on. */
  | 'ReadOnly'
  /** Another process holds the data directory. */
  | 'Locked'
  /** The data on disk fails its checks. */
  | 'Corrupt'
  | 'Closed'

/** Error of a Store. Match on `code`. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
