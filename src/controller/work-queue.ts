import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { DelayQueue } from './delay-queue.ts'
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts'
import { createWorkQueueMetrics, type WorkQueueMetrics } from './work-queue-metrics.ts'

export interface WorkQueueOptions {
  /** Label of the metrics. */
  readonly name: string
  readonly clock: Clock
  readonly metrics?: Metrics
  /** Default: see `createRateLimiter`. */
  readonly rateLimiter?: RateLimiter
}

/**
 * Keys waiting to be worked on.
 * - Fair: in the order they were added.
 * - Stingy: a key added many times before its turn is handed out once, and never to two workers at once; added while
 *   it is in work, it is handed out again afterwards.
 * - Bounded by the number of distinct keys.
 *
 * Source: k8s.io/client-go/util/workqueue.
 */
export class WorkQueue {
  readonly #metrics: WorkQueueMetrics | undefined
  readonly #limiter: RateLimiter
  readonly #delayed: DelayQueue
  #queue: string[] = []
  #head = 0
  /** Wants work: waits in the queue, or is in work and was added again. */
  readonly #dirty = new Set<string>()
  readonly #processing = new Set<string>()
  readonly #getters: ((item: string | undefined) => void)[] = []
  readonly #idle: (() => void)[] = []
  #closed = false

  constructor(options: WorkQueueOptions) {
    this.#metrics = options.metrics && createWorkQueueMetrics(options.metrics, options.name, options.clock)
    this.#limiter = options.rateLimiter ?? createRateLimiter(options.clock)
    this.#delayed = new DelayQueue(options.clock, (item) => this.add(item))
  }

  /** Keys waiting for a worker, without delayed ones. */
  get length(): number {
    return this.#queue.length - this.#head
  }

  add(item: string): void {
    if (this.#closed || this.#dirty.has(item)) return
    this.#dirty.add(item)
    this.#metrics?.added(item)
    if (this.#processing.has(item)) return
    this.#enqueue(item)
  }

  addAfter(item: string, delayMs: number): void {
    if (this.#closed) return
    if (delayMs <= 0) this.add(item)
    else this.#delayed.add(item, delayMs)
  }

  /** Adds after the item's back-off, which grows until `forget`. */
  addRateLimited(item: string): void {
    this.#metrics?.retried()
    this.addAfter(item, this.#limiter.next(item))
  }

  forget(item: string): void {
    this.#limiter.forget(item)
  }

  failures(item: string): number {
    return this.#limiter.failures(item)
  }

  /** The next key, which is in work until `done`; undefined once the queue is shut down and empty. */
  get(): Promise<string | undefined> {
    const item = this.#dequeue()
    if (item !== undefined) {
      this.#start(item)
      return Promise.resolve(item)
    }
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => this.#getters.push(resolve))
  }

  done(item: string): void {
    if (!this.#processing.delete(item)) return
    this.#metrics?.finished(item)
    if (this.#dirty.has(item)) this.#enqueue(item)
    this.#settle()
  }

  /**
   * Takes nothing more. What waits is dropped, or with `drain` still handed out. Delayed keys are dropped.
   * @returns when no key is in work any more
   */
  shutDown(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closed = true
    this.#delayed.clear()
    if (!options.drain) {
      this.#queue = []
      this.#head = 0
      this.#dirty.clear()
    }
    for (const getter of this.#getters.splice(0)) getter(undefined)
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#settle()
    return idle
  }

  #enqueue(item: string): void {
    const getter = this.#getters.shift()
    if (getter) {
      this.#start(item)
      return getter(item)
    }
    this.#queue.push(item)
    this.#metrics?.depth(this.length)
  }

  #dequeue(): string | undefined {
    const item = this.#queue[this.#head]
    if (item === undefined) return undefined
    this.#head++
    // give the used part back once it is the larger one
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    this.#metrics?.depth(this.length)
    return item
  }

  #start(item: string): void {
    this.#processing.add(item)
    this.#dirty.delete(item)
    this.#metrics?.started(item)
  }

  #settle(): void {
    if (!this.#closed || this.#processing.size > 0 || this.length > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
