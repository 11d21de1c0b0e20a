/**
 * The versioned key-value store under the control plane.
 *
 * A write goes: `mvcc-store` checks it, `plan-txn` evaluates it against what is committed and what waits,
 * `commit-pipeline` makes it durable in a `backend` (LMDB or memory) together with everything else that waits,
 * then applies it to `mvcc-state` (version chains, `ordered-index`, `history`), and only then `watch-hub` tells the
 * watchers and the writer is answered. So nothing that anybody was told can be lost.
 *
 * Around it: `lessor` (leases), `auto-compaction`, `directory-lock` (one process per data directory), `verify-store`
 * (reads everything, checks every record; `integrity-child` is its process). `conformance` is the suite that every
 * implementation passes.
 */
export * from './contract.ts'
export type { CompactionOptions } from './auto-compaction.ts'
export { createMemoryStore } from './memory-store.ts'
export type { MemoryStoreOptions } from './memory-store.ts'
export { openLmdbStore } from './lmdb-store.ts'
export type { LmdbStoreOptions } from './lmdb-store.ts'
export { verifyInChild, verifyStore } from './verify-store.ts'
export type { StoreReport } from './verify-store.ts'
export { runIntegrityChild } from './integrity-child.ts'
