import type { Clock } from '../base/clock.ts'
import { isStatus } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { keyOf, type KubeObject } from '../api/meta/object.ts'
import type { EventHandler, InformerFactory } from '../client/cache.ts'
import { TerminalError, type ControllerOptions, type WatchSource } from './contract.ts'
import { createControllerMetrics, type ControllerMetrics } from './controller-metrics.ts'
import { parseRequestKey, requestKey } from './mappers.ts'
import { WorkQueue } from './work-queue.ts'

export interface ControllerDependencies {
  readonly informers: InformerFactory
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

const DEFAULT_CONCURRENCY = 2

/** Runs one controller: feeds its queue from its watches, and its workers from the queue. */
export class ControllerRunner {
  readonly #options: ControllerOptions
  readonly #dependencies: ControllerDependencies
  readonly #log: Logger
  readonly #metrics: ControllerMetrics

  constructor(options: ControllerOptions, dependencies: ControllerDependencies) {
    this.#options = options
    this.#dependencies = dependencies
    this.#log = dependencies.log.child({ controller: options.name })
    this.#metrics = createControllerMetrics(dependencies.metrics, options.name)
    // asked for now, so that they run and sync with the others
    for (const watch of options.watches) dependencies.informers.informer(watch.kind)
  }

  /** Until the signal aborts and the last reconcile has ended. Informers must be synced. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, metrics, informers } = this.#dependencies
    const queue = new WorkQueue({ name: this.#options.name, clock, metrics })
    const remove = this.#options.watches.map((watch) => informers.informer(watch.kind).addHandler(this.#feed(watch, queue)))
    const concurrency = this.#options.concurrency ?? DEFAULT_CONCURRENCY
    this.#metrics.concurrency(concurrency)
    const workers = Array.from({ length: concurrency }, () => this.#work(queue, signal))
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    for (const stop of remove) stop()
    await queue.shutDown()
    await Promise.all(workers)
  }

  #feed(watch: WatchSource<KubeObject>, queue: WorkQueue): EventHandler<KubeObject> {
    const { map, filter } = watch
    const enqueue = (object: KubeObject): void => {
      if (!map) return queue.add(keyOf(object))
      for (const request of map(object)) queue.add(requestKey(request))
    }
    return {
      add: (object) => {
        if (filter?.(object) ?? true) enqueue(object)
      },
      update: (next, previous) => {
        if (!(filter?.(next, previous) ?? true)) return
        // an object that changed hands concerns both
        if (map) enqueue(previous)
        enqueue(next)
      },
      delete: (object) => {
        if (filter?.(object) ?? true) enqueue(object)
      },
    }
  }

  async #work(queue: WorkQueue, signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await queue.get()
      if (key === undefined) return
      const started = this.#dependencies.clock.monotonic()
      const finished = this.#metrics.started()
      const result = await this.#reconcile(key, queue, signal)
      finished(result, (this.#dependencies.clock.monotonic() - started) / 1000)
      queue.done(key)
    }
  }

  /** Never throws. @returns the `result` label of the metric */
  async #reconcile(key: string, queue: WorkQueue, signal: AbortSignal): Promise<'success' | 'requeue_after' | 'error' | 'terminal'> {
    try {
      const result = await this.#options.reconciler.reconcile(parseRequestKey(key), signal)
      queue.forget(key)
      if (result?.requeueAfterMs === undefined) return 'success'
      queue.addAfter(key, result.requeueAfterMs)
      return 'requeue_after'
    } catch (error) {
      if (signal.aborted) return 'error'
      if (error instanceof TerminalError) {
        queue.forget(key)
        this.#log.error('reconcile failed, not retried until the object changes', { request: key, error })
        return 'terminal'
      }
      queue.addRateLimited(key)
      // a conflict only says that the cache was behind
      if (isStatus(error, 'Conflict')) this.#log.debug('reconcile conflicted, retrying', { request: key, error })
      else this.#log.error('reconcile failed, retrying', { request: key, failures: queue.failures(key), error })
      return 'error'
    }
  }
}
