import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { KindDefinition } from '../api/kind.ts'
import type { KubeObject } from '../api/meta/object.ts'
import type { InformerFactory } from '../client/cache.ts'
import type { Client } from '../client/client.ts'

/** What to reconcile. `namespace` is '' for cluster-scoped objects. */
export interface Request {
  readonly namespace: string
  readonly name: string
}

export interface Result {
  /** Look again after this time even if nothing happens. */
  readonly requeueAfterMs?: number
}

/**
 * Brings the world to what one object asks for. Level-based: acts on what is, not on which event came; runs again after
 * every change. Throws to be retried with back-off; throws `terminal(error)` to be logged and counted but not retried.
 */
export interface Reconciler {
  reconcile(request: Request, signal: AbortSignal): Promise<Result | void>
}

/** Maps an object that changed to the requests it concerns. */
export type Mapper<T> = (object: T) => readonly Request[]

export interface WatchSource<T extends KubeObject = KubeObject> {
  readonly kind: KindDefinition<T>
  /** Default: the object itself. `ownedBy(kind)` gives the controller owner of that kind. */
  readonly map?: Mapper<T>
  /** Events to leave out: return false to ignore. `previous` is absent for adds and deletes. */
  readonly filter?: (object: T, previous?: T) => boolean
}

export interface ControllerOptions {
  /** Names the queue in metrics and logs: `deployment`, `replicaset`, ... */
  readonly name: string
  // A list of watches on different kinds: the element type is checked where each is made, by `watchOf`.
  readonly watches: readonly WatchSource<any>[]
  readonly reconciler: Reconciler
  /** Requests in work at once; the same request never twice at once. Default 2. */
  readonly concurrency?: number
}

/** Records core/v1 Events; repeats are folded into `count`, floods are dropped. Never throws, never blocks. */
export interface EventRecorder {
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** What every controller is built from. Start order: informers, wait for sync, workers. */
export interface Manager {
  readonly client: Client
  readonly informers: InformerFactory
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** `component` becomes the event's source. */
  recorder(component: string): EventRecorder
  addController(options: ControllerOptions): void
  /** Runs a background task once started; it must end when the signal aborts. */
  addTask(name: string, run: (signal: AbortSignal) => Promise<void>): void
  /** Runs everything added so far (after winning leader election, when configured) until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** Wraps an error so that the request is not retried until its object changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

export function terminal(error: unknown): TerminalError {
  return new TerminalError(error instanceof Error ? error.message : String(error), { cause: error })
}

/** Declares a watch with its types checked: `watchOf(pods, ownedBy('ReplicaSet'))`. */
export function watchOf<T extends KubeObject>(
  kind: KindDefinition<T>,
  map?: Mapper<T>,
  filter?: (object: T, previous?: T) => boolean,
): WatchSource<T> {
  return { kind, ...(map ? { map } : {}), ...(filter ? { filter } : {}) }
}
