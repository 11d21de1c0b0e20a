/**
 * A proxy as several processes that share its listening sockets.
 *
 *   worker-pool      in the first process: has sockets, configuration and identity, and hands them to the workers; replaces those that die
 *     pooled-worker  one of them as the pool knows it
 *     shared-sockets which are bound, and for whom
 *   run-worker       in each of the others: carries connections
 *   config-change    what makes one snapshot of another, as JSON
 *   contract         what they say to each other
 */
export type { Carrier, FromWorker, PoolChannel, ToWorker, WorkerProcess, WorkerSettings } from './contract.ts'
export { runWorker, type WorkerOptions } from './run-worker.ts'
export { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts'
