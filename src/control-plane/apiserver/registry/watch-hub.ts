import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Store, Watch, WatchBatch } from '../../store/contract.ts'
import { Change } from './change.ts'
import type { Resource } from './resource.ts'
import type { Selection } from './selection.ts'

/** Changes kept for watchers that come back, at most: by number and by the size of their objects. */
const WINDOW_CHANGES = 4096
const WINDOW_BYTES = 16 * 1024 * 1024
/** Source: k8s.io/apiserver cacher.defaultBookmarkFrequency. */
const BOOKMARK_MS = 60_000

/** Somebody who watches. Called synchronously, in the order of revisions. */
export interface Subscriber {
  readonly selection: Selection
  readonly bookmarks: boolean
  offer(change: Change): void
  /** Everything up to `revision` has been offered. */
  progress(revision: bigint): void
  /** The hub has lost its place: the watch ends, and its client watches again from where it was. */
  end(): void
}

/** One store watch on a resource, handed to all who watch it. Runs from the first `start` until `close`. */
export class WatchHub {
  readonly #store: Store
  readonly #resource: Resource
  readonly #clock: Clock
  readonly #log: Logger
  readonly #everyone = new Set<Subscriber>()
  /** Subscribers that need one value of one field, so that a change is offered to those alone whom it can concern. */
  readonly #triggers = new Map<string, TriggerIndex>()
  readonly #closing = new AbortController()
  #window: Change[] = []
  #windowBytes = 0
  /** The window holds every change after this revision. */
  #windowStart = 0n
  #revision = 0n
  #watch: Watch | undefined
  #ready: Promise<void> | undefined
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #bookmarkDue = false

  constructor(deps: { readonly store: Store; readonly resource: Resource; readonly clock: Clock; readonly log: Logger }) {
    this.#store = deps.store
    this.#resource = deps.resource
    this.#clock = deps.clock
    this.#log = deps.log
  }

  /** All changes up to here have been offered. */
  get revision(): bigint {
    return this.#revision
  }

  start(): Promise<void> {
    this.#ready ??= this.#open().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /**
   * From now on `subscriber` is offered every change after `after`.
   * @returns false when some of them are no longer at hand: they must be read from the store first
   */
  subscribe(subscriber: Subscriber, after: bigint): boolean {
    if (!this.#watch || after < this.#windowStart) return false
    this.#replay(subscriber, after)
    const { trigger } = subscriber.selection
    if (trigger) this.#indexOf(trigger).add(trigger.value, subscriber)
    else this.#everyone.add(subscriber)
    this.#timer ??= this.#clock.after(BOOKMARK_MS, () => this.#askForBookmark())
    return true
  }

  unsubscribe(subscriber: Subscriber): void {
    const { trigger } = subscriber.selection
    this.#everyone.delete(subscriber)
    if (!trigger) return
    const index = this.#triggers.get(trigger.field)
    index?.delete(trigger.value, subscriber)
    if (index?.size === 0) this.#triggers.delete(trigger.field)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#watch?.close()
    this.#timer?.cancel()
    await this.#running
  }

  async #open(): Promise<void> {
    const { revision } = await this.#store.status()
    if (this.#closing.signal.aborted) return
    this.#window = []
    this.#windowBytes = 0
    this.#windowStart = revision
    this.#revision = revision
    const watch = this.#store.watch(this.#resource.prefix, { fromRevision: revision + 1n, signal: this.#closing.signal })
    this.#watch = watch
    this.#running = this.#follow(watch)
  }

  async #follow(watch: Watch): Promise<void> {
    try {
      for await (const batch of watch) this.#dispatch(batch)
    } catch (error) {
      if (!this.#closing.signal.aborted)
        this.#log.warn('watch of the store broke off', { prefix: this.#resource.prefix, error: messageOf(error) })
    } finally {
      this.#watch = undefined
      this.#ready = undefined
      for (const subscriber of this.#subscribers()) subscriber.end()
      this.#everyone.clear()
      this.#triggers.clear()
      this.#timer?.cancel()
      this.#timer = undefined
    }
  }

  #replay(subscriber: Subscriber, after: bigint): void {
    let first = this.#window.length
    while (first > 0 && (this.#window[first - 1] as Change).revision > after) first--
    for (let i = first; i < this.#window.length; i++) {
      const change = this.#window[i] as Change
      subscriber.offer(change)
      change.release()
    }
  }

  #dispatch(batch: WatchBatch): void {
    for (const event of batch.events) {
      const change = new Change(this.#resource, event)
      for (const subscriber of this.#everyone) subscriber.offer(change)
      for (const index of this.#triggers.values()) index.offer(change)
      change.release()
      this.#remember(change)
    }
    this.#revision = batch.revision
    if (!this.#bookmarkDue) return
    this.#bookmarkDue = false
    for (const subscriber of this.#subscribers()) if (subscriber.bookmarks) subscriber.progress(batch.revision)
  }

  #remember(change: Change): void {
    this.#window.push(change)
    this.#windowBytes += change.sizeBytes
    if (this.#window.length <= WINDOW_CHANGES && this.#windowBytes <= WINDOW_BYTES) return
    // a quarter at a time, so that each change is moved a few times at most
    const dropped = this.#window.splice(0, Math.ceil(this.#window.length / 4))
    for (const old of dropped) this.#windowBytes -= old.sizeBytes
    this.#windowStart = dropped.at(-1)?.revision ?? this.#windowStart
  }

  #askForBookmark(): void {
    this.#timer = undefined
    if (!this.#watch || !this.#subscribers().some((subscriber) => subscriber.bookmarks)) return
    this.#bookmarkDue = true
    this.#watch.requestProgress()
    this.#timer = this.#clock.after(BOOKMARK_MS, () => this.#askForBookmark())
  }

  #indexOf(trigger: NonNullable<Selection['trigger']>): TriggerIndex {
    let index = this.#triggers.get(trigger.field)
    if (!index) this.#triggers.set(trigger.field, (index = new TriggerIndex(trigger.read)))
    return index
  }

  #subscribers(): Subscriber[] {
    return [...this.#everyone, ...[...this.#triggers.values()].flatMap((index) => index.all())]
  }
}

/** Subscribers by the value they need of one field. */
class TriggerIndex {
  readonly #read: NonNullable<Selection['trigger']>['read']
  readonly #byValue = new Map<string, Set<Subscriber>>()

  constructor(read: NonNullable<Selection['trigger']>['read']) {
    this.#read = read
  }

  get size(): number {
    return this.#byValue.size
  }

  add(value: string, subscriber: Subscriber): void {
    const set = this.#byValue.get(value) ?? new Set()
    this.#byValue.set(value, set.add(subscriber))
  }

  delete(value: string, subscriber: Subscriber): void {
    const set = this.#byValue.get(value)
    set?.delete(subscriber)
    if (set?.size === 0) this.#byValue.delete(value)
  }

  /** To those who select the object now or did before. */
  offer(change: Change): void {
    const now = this.#read(change.object())
    for (const subscriber of this.#byValue.get(now) ?? []) subscriber.offer(change)
    const before = change.before()
    const was = before === undefined ? now : this.#read(before)
    if (was === now) return
    for (const subscriber of this.#byValue.get(was) ?? []) subscriber.offer(change)
  }

  all(): Subscriber[] {
    return [...this.#byValue.values()].flatMap((set) => [...set])
  }
}
