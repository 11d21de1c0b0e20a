import type { StoreEvent, Watch, WatchBatch } from './contract.ts'
import { StoreError } from './contract.ts'

/** What a watcher needs of the hub. */
export interface WatchSource {
  /** Events of `prefix` from `fromRevision` on: a page that ends between two revisions. @throws StoreError `Compacted` */
  replay(prefix: string, fromRevision: number): ReplayPage
  /** From now on the watcher is offered each batch. */
  join(watcher: Watcher): void
  leave(watcher: Watcher): void
  /** A reader was too slow and has been dropped. */
  dropped(): void
  readonly revision: bigint
}

export interface ReplayPage {
  readonly batch: WatchBatch
  /** Where to go on; undefined: the watcher is level with the store. */
  readonly next: number | undefined
}

export interface WatcherOptions {
  readonly prefix: string
  /** Revision to replay from, undefined: only what comes. */
  readonly replayFrom: number | undefined
  /** Events below are left out (a watch from a revision that has not happened yet). */
  readonly skipBelow: bigint
  readonly maxQueued: number
  readonly signal: AbortSignal | undefined
}

interface Waiter {
  readonly resolve: (result: IteratorResult<WatchBatch>) => void
  readonly reject: (error: Error) => void
}

const DONE: IteratorResult<WatchBatch> = { done: true, value: undefined }

/**
 * One watch. It first replays history at the reader's pace, page by page, and so cannot overflow; level with the
 * store, it joins the hub and queues, bounded, what the reader has not taken.
 */
export class Watcher implements Watch, AsyncIterableIterator<WatchBatch> {
  readonly prefix: string
  readonly #source: WatchSource
  readonly #options: WatcherOptions
  #replayFrom: number | undefined
  #queue: WatchBatch[] = []
  #queuedEvents = 0
  #waiters: Waiter[] = []
  #wantsProgress = false
  #ended: { readonly error?: StoreError } | undefined

  constructor(source: WatchSource, options: WatcherOptions) {
    this.prefix = options.prefix
    this.#source = source
    this.#options = options
    this.#replayFrom = options.replayFrom
    if (options.signal?.aborted) this.#ended = {}
    else this.#start()
  }

  #start(): void {
    this.#options.signal?.addEventListener('abort', this.close, { once: true })
    if (this.#replayFrom === undefined) this.#source.join(this)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<WatchBatch>> {
    const batch = this.#queue.shift()
    if (batch) {
      this.#queuedEvents -= batch.events.length
      return Promise.resolve({ done: false, value: batch })
    }
    if (this.#ended) return this.#ended.error ? this.#throwOnce(this.#ended.error) : Promise.resolve(DONE)
    if (this.#replayFrom !== undefined) return this.#replay()
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<WatchBatch>> {
    this.close()
    return Promise.resolve(DONE)
  }

  close: () => void = () => {
    this.#queue = []
    this.#end({})
  }

  requestProgress(): void {
    if (this.#ended) return
    if (this.#replayFrom !== undefined) this.#wantsProgress = true
    else this.offer({ revision: this.#source.revision, events: [] })
  }

  /** A batch from the hub, shared with other watchers of the prefix. */
  offer(batch: WatchBatch): void {
    const { skipBelow, maxQueued } = this.#options
    const wanted = batch.events.length > 0 && skipBelow > 0n ? skip(batch, skipBelow) : batch
    if (!wanted) return
    const waiter = this.#waiters.shift()
    if (waiter) return waiter.resolve({ done: false, value: wanted })
    // a notice tells nothing that a later one does not: however often it is asked for, one waits at most
    if (this.#queue.at(-1)?.events.length === 0) this.#queue.pop()
    if (this.#queue.length > 0 && this.#queuedEvents + wanted.events.length > maxQueued) return this.#overflow()
    this.#queue.push(wanted)
    this.#queuedEvents += wanted.events.length
  }

  /** Ends the watch with an error after what is already queued. */
  fail(error: StoreError): void {
    this.#end({ error })
  }

  async #replay(): Promise<IteratorResult<WatchBatch>> {
    while (this.#replayFrom !== undefined && !this.#ended) {
      const { batch, next } = this.#nextPage(this.#replayFrom)
      this.#replayFrom = next
      if (next === undefined) this.#source.join(this)
      const tellsProgress = next === undefined && this.#wantsProgress
      if (tellsProgress) this.#wantsProgress = false
      if (batch.events.length > 0 || tellsProgress) return { done: false, value: batch }
      if (next !== undefined) await new Promise((resolve) => setImmediate(resolve))
    }
    return this.next()
  }

  #nextPage(from: number): ReplayPage {
    try {
      return this.#source.replay(this.prefix, from)
    } catch (error) {
      this.#end({})
      throw error
    }
  }

  #overflow(): void {
    const { prefix } = this
    this.#queue = []
    this.#source.dropped()
    this.#end({
      error: new StoreError('SlowWatcher', `watch of ${prefix}: more than ${this.#options.maxQueued} events wait to be read: watch again`),
    })
  }

  #throwOnce(error: StoreError): Promise<never> {
    this.#ended = {}
    return Promise.reject(error)
  }

  #end(how: { readonly error?: StoreError }): void {
    if (this.#ended) return
    this.#ended = how
    this.#options.signal?.removeEventListener('abort', this.close)
    this.#source.leave(this)
    const [first, ...others] = this.#waiters
    this.#waiters = []
    if (first && how.error) {
      this.#ended = {}
      first.reject(how.error)
    } else first?.resolve(DONE)
    for (const waiter of others) waiter.resolve(DONE)
  }
}

function skip(batch: WatchBatch, below: bigint): WatchBatch | undefined {
  const events = batch.events.filter((event: StoreEvent) => event.kv.modRevision >= below)
  return events.length > 0 ? { revision: batch.revision, events } : undefined
}
