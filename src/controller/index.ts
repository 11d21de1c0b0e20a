/**
 * Public API `biplane/controller`: keep the world as objects ask for it.
 *
 * A `Reconciler` is given the name of an object and brings the world to what that object asks for, whatever happened
 * before: level-based. A controller is a reconciler with the watches that wake it:
 *
 *     const manager = createManager({ client, clock, log, metrics, random })
 *     manager.addController({ name: 'replicaset', watches: [watchOf(replicaSets), watchOf(pods, ownedBy(replicaSets))], reconciler })
 *     await manager.run(signal)
 *
 * The manager starts informers, waits until they are synced, then runs workers on a `WorkQueue` (fair, each object in work
 * once at a time, failures retried with back-off); with `leaderElection` only one of several processes works.
 * `manager.recorder('name').event(...)` tells users what happened. A controller that creates or deletes children
 * uses `ControllerExpectations` so as not to act on a cache that does not show its last writes yet.
 */
export {
  TerminalError,
  terminal,
  watchOf,
  type ControllerOptions,
  type EventRecorder,
  type Manager,
  type Mapper,
  type Reconciler,
  type Request,
  type Result,
  type WatchSource,
} from './contract.ts'
export { createManager, ManagerError, type ManagerOptions } from './create-manager.ts'
export { ControllerExpectations } from './expectations.ts'
export { EventSink, type EventSinkOptions } from './event-recorder.ts'
export { enqueueOwner, ownedBy, parseRequestKey, requestKey, requestOf } from './mappers.ts'
export { controllerOf } from '../api/meta/owner.ts'
export {
  allOf,
  annotationsChanged,
  anyOf,
  deletionStarted,
  generationChanged,
  labelsChanged,
  resourceVersionChanged,
  type Predicate,
} from './predicates.ts'
export { createRateLimiter, TokenBucket, type RateLimiter, type RateLimiterOptions } from './rate-limiter.ts'
export { WorkQueue, type WorkQueueOptions } from './work-queue.ts'
export { retryOnConflict } from '../client/retry-on-conflict.ts'
export { silentLogger, jsonLogger, type Logger } from '../base/log.ts'
export { createMetrics, type Metrics } from '../base/metrics.ts'
