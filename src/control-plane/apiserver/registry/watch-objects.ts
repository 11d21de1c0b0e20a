import type { Clock } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'
import type { WatchEventType } from '../../../api/meta/object.ts'
import { StoreError, type KeyValue, type Store } from '../../store/contract.ts'
import type { ServerWatchEvent } from '../contract.ts'
import { Change, classify, lazyEvent, type EventForm } from './change.ts'
import { EventQueue } from './event-queue.ts'
import { decodeKeyValue } from './object-codec.ts'
import { scanObjects } from './read-objects.ts'
import type { Resource } from './resource.ts'
import type { Selection } from './selection.ts'
import { fromStoreError } from './status-errors.ts'
import type { Subscriber, WatchHub } from './watch-hub.ts'

/** Events that may wait for one slow reader before its watch is ended. */
const MAX_QUEUED = 10_000
/** Objects of the initial state read at a time: a reader that stops reading holds no more than these. */
const INITIAL_PAGE = 500

export interface WatchRequest {
  readonly resource: Resource
  readonly selection: Selection
  readonly form: EventForm
  /** Changes after this revision. Absent: first every object there is, as ADDED, then what changes after that. */
  readonly after?: bigint | undefined
  /** Bookmarks about once a minute and at the end. */
  readonly bookmarks: boolean
  /** A bookmark annotated `k8s.io/initial-events-end` follows the initial state. */
  readonly markInitialEnd: boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Writes a bookmark; `initialEnd` sets the annotation that ends the initial state. */
export type BookmarkWriter = (revision: bigint, initialEnd: boolean) => ServerWatchEvent

/**
 * The events of one watch. Ends at its time or with `signal`; whatever goes wrong comes as an ERROR event before the end.
 */
export function watchObjects(
  deps: { readonly store: Store; readonly clock: Clock; readonly hub: WatchHub; readonly bookmark: BookmarkWriter },
  request: WatchRequest,
): AsyncIterable<ServerWatchEvent> {
  return { [Symbol.asyncIterator]: () => new ObjectWatch(deps, request).iterate() }
}

type Deps = Parameters<typeof watchObjects>[0]

class ObjectWatch implements Subscriber {
  readonly selection: Selection
  readonly bookmarks: boolean
  readonly #deps: Deps
  readonly #request: WatchRequest
  readonly #queue = new EventQueue<ServerWatchEvent>(MAX_QUEUED)
  readonly #stopped = new AbortController()
  /** Everything up to here has been given out or waits in the queue. */
  #position = 0n
  /** The hub offers: before that, what it has seen says nothing about what this watch has seen. */
  #subscribed = false

  constructor(deps: Deps, request: WatchRequest) {
    this.#deps = deps
    this.#request = request
    this.selection = request.selection
    this.bookmarks = request.bookmarks
  }

  iterate(): AsyncIterator<ServerWatchEvent> {
    const stop = (): void => {
      this.#stopped.abort()
      this.#queue.abort()
    }
    const timer = this.#deps.clock.after(this.#request.timeoutMs, () => this.#expire())
    const { signal } = this.#request
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    const cleanUp = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', stop)
    }
    const events = this.#events(cleanUp)
    return {
      next: () => events.next(),
      return: async () => {
        // a generator that waits inside takes no return: wake it first
        stop()
        // and one that never began does not clean up
        cleanUp()
        return events.return(undefined)
      },
    }
  }

  offer(change: Change): void {
    if (change.revision <= this.#position || this.#queue.ended) return
    try {
      const event = this.#eventOf(change)
      if (event) this.#queue.push(event)
      this.#position = change.revision
    } catch (error) {
      this.#queue.push(errorEvent(error, this.#position))
      this.#queue.end()
    }
  }

  progress(revision: bigint): void {
    if (revision > this.#position) this.#position = revision
    this.#queue.push(this.#deps.bookmark(this.#position, false))
  }

  end(): void {
    this.#queue.end()
  }

  async *#events(cleanUp: () => void): AsyncGenerator<ServerWatchEvent, undefined> {
    const { after, markInitialEnd } = this.#request
    try {
      if (after === undefined) yield* this.#initialState()
      else this.#position = after
      if (after === undefined && markInitialEnd) yield this.#deps.bookmark(this.#position, true)
      yield* this.#catchUp()
      yield* this.#queue
    } catch (error) {
      // a reader that is too slow is told nothing: it watches again from where it was
      if (!isSlow(error)) yield errorEvent(error, this.#position)
    } finally {
      cleanUp()
      this.#deps.hub.unsubscribe(this)
      this.#queue.abort()
      this.#stopped.abort()
    }
    return undefined
  }

  async *#initialState(): AsyncGenerator<ServerWatchEvent> {
    const { resource, form, selection } = this.#request
    let token: { revision: bigint; from: string } | undefined
    do {
      const page: KeyValue[] = []
      const scan = { selection, limit: INITIAL_PAGE, token }
      const result = await scanObjects(this.#deps.store, resource, scan, (kv) => void page.push(kv))
      this.#position = result.revision
      for (const kv of page) yield initialEvent(resource, form, kv)
      token = result.next === undefined ? undefined : { revision: result.revision, from: result.next }
    } while (token && !this.#stopped.signal.aborted)
  }

  /** Reads from the store what the hub no longer has, until the hub takes over. */
  async *#catchUp(): AsyncGenerator<ServerWatchEvent> {
    const { hub, store } = this.#deps
    await hub.start()
    if (this.#queue.ended || this.#subscribe()) return
    const watch = store.watch(this.#request.resource.prefix, { fromRevision: this.#position + 1n, signal: this.#stopped.signal })
    try {
      watch.requestProgress()
      for await (const batch of watch) {
        for (const event of batch.events) {
          const seen = this.#eventOf(new Change(this.#request.resource, event))
          if (seen) yield seen
        }
        if (batch.revision > this.#position) this.#position = batch.revision
        if (this.#queue.ended || this.#subscribe()) return
      }
    } finally {
      watch.close()
    }
  }

  #subscribe(): boolean {
    return (this.#subscribed = this.#deps.hub.subscribe(this, this.#position))
  }

  #eventOf(change: Change): ServerWatchEvent | undefined {
    const seen = classify(this.selection, change)
    return seen && change.event(seen.type, this.#request.form, seen.was)
  }

  #expire(): void {
    if (this.bookmarks && this.#subscribed) this.progress(this.#deps.hub.revision)
    this.#queue.end()
    this.#stopped.abort()
  }
}

function isSlow(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'SlowWatcher'
}

function initialEvent(resource: Resource, form: EventForm, kv: KeyValue): ServerWatchEvent {
  const state = { resource, value: kv.value, revision: kv.modRevision, object: () => decodeKeyValue(resource, kv) }
  return lazyEvent('ADDED', form, state)
}

/** An ERROR event: a Status where others have an object. */
function errorEvent(error: unknown, position: bigint): ServerWatchEvent {
  const status = statusOf(error, position)
  const event: { type: WatchEventType; object: unknown } = { type: 'ERROR', object: status.toBody() }
  return { ...event, line: Buffer.from(`${JSON.stringify(event)}\n`) } as ServerWatchEvent
}

function statusOf(error: unknown, position: bigint): StatusError {
  if (error instanceof StoreError && error.code === 'Compacted') {
    return new StatusError('Expired', `too old resource version: ${position} (${error.message})`, { cause: error })
  }
  const known = fromStoreError(error)
  return known instanceof StatusError
    ? known
    : new StatusError('InternalError', 'the watch broke off: an internal error occurred', { cause: error })
}
