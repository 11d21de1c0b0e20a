import { keyOf, type KubeObject, type WatchEvent } from '../api/meta/object.ts'
import { backoffMs, type Random } from '../base/backoff.ts'
import { sleep, type Clock, type Timer } from '../base/clock.ts'
import { StatusError, type StatusBody } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ResourceClient } from './client.ts'
import {
  INITIAL_REFLECTOR_STATE,
  classifyReflectorError,
  nextReflectorState,
  type ReflectorOutcome,
  type ReflectorState,
} from './reflector-state.ts'

/** Where a reflector writes what it sees, in order. */
export interface ReflectorSink<T> {
  /** Everything there is; what is not in `objects` is gone. */
  replace(objects: readonly T[]): Promise<void>
  set(object: T): void
  delete(object: T): void
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly resource: ResourceClient<T>
  readonly sink: ReflectorSink<T>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** Applied to every object at once when it comes, so that the rest of it is not kept while a list is still incomplete. */
  readonly transform?: (object: T) => T
}

/** Marks the BOOKMARK after the initial events of a WatchList. Source: KEP-3157. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

/** First delay short, so that a restarted server is found at once; twice as long each time. */
const BACKOFF = { baseMs: 100, maxMs: 30_000, jitter: 1 }

/** A WatchList without any event for this long is taken for one the server does not understand. */
const INITIAL_STALL_MS = 10_000

/** Watches end after 5 to 10 minutes, so that they spread over API servers again. */
const MIN_WATCH_SECONDS = 300

/** Keeps `sink` equal to what the server has until the signal aborts. Failures are logged and retried, for ever. */
export async function runReflector<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  let state = INITIAL_REFLECTOR_STATE
  while (!signal.aborted) {
    const outcome = await runStep(options, state, signal)
    if (signal.aborted) return
    state = nextReflectorState(state, outcome)
    if (outcome.type === 'listed' || outcome.type === 'refused' || state.failures === 0) continue
    await sleep(options.clock, backoffMs(state.failures, BACKOFF, options.random), signal).catch(() => {})
  }
}

async function runStep<T extends KubeObject>(
  options: ReflectorOptions<T>,
  state: ReflectorState,
  signal: AbortSignal,
): Promise<ReflectorOutcome> {
  const started = options.clock.monotonic()
  const watch = new WatchRun(options, state, signal)
  try {
    if (state.step === 'list') return await listInto(options, state, signal)
    await watch.run()
    return { type: 'ended', resourceVersion: watch.resourceVersion, livedMs: options.clock.monotonic() - started }
  } catch (error) {
    const type = watch.stalled ? 'refused' : classifyReflectorError(error, state.step)
    const { kind } = options.resource.kind
    if (type === 'failed' && !signal.aborted) {
      options.log.warn('list and watch failed, retrying', { kind, step: state.step, failures: state.failures + 1, error })
    }
    return { type, resourceVersion: watch.resourceVersion, livedMs: options.clock.monotonic() - started }
  }
}

async function listInto<T extends KubeObject>(
  options: ReflectorOptions<T>,
  state: ReflectorState,
  signal: AbortSignal,
): Promise<ReflectorOutcome> {
  const list = await options.resource.listAll({ ...selection(options), resourceVersion: state.resourceVersion, signal })
  const { transform } = options
  await options.sink.replace(transform ? list.items.map((item) => transform(item)) : list.items)
  return { type: 'listed', resourceVersion: list.metadata.resourceVersion ?? '' }
}

/** One watch request, from its start to its end. */
class WatchRun<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #state: ReflectorState
  readonly #signal: AbortSignal
  readonly #stall = new AbortController()
  /** Objects of a WatchList until its bookmark comes. */
  #initial: Map<string, T> | undefined
  /** Last revision seen; absent until the initial events are complete. */
  resourceVersion: string | undefined

  constructor(options: ReflectorOptions<T>, state: ReflectorState, signal: AbortSignal) {
    this.#options = options
    this.#state = state
    this.#signal = signal
    this.#initial = state.step === 'watchList' ? new Map() : undefined
  }

  /** The initial events did not come: the server ignores what it was asked. */
  get stalled(): boolean {
    return this.#stall.signal.aborted
  }

  async run(): Promise<void> {
    const { resource, clock, random } = this.#options
    const guard = this.#guardInitial(clock)
    try {
      const events = resource.watch({
        ...selection(this.#options),
        allowWatchBookmarks: true,
        timeoutSeconds: MIN_WATCH_SECONDS + Math.floor(random() * MIN_WATCH_SECONDS),
        ...(this.#initial ? { sendInitialEvents: true } : { resourceVersion: this.#state.resourceVersion }),
        signal: this.#initial ? AbortSignal.any([this.#signal, this.#stall.signal]) : this.#signal,
      })
      for await (const event of events) {
        guard.seen()
        const settled = this.#apply(event)
        if (settled) await settled
      }
    } finally {
      guard.cancel()
    }
  }

  /** Aborts when no event comes for `INITIAL_STALL_MS` before the initial state is complete. One timer at a time: there may be many events. */
  #guardInitial(clock: Clock): { seen(): void; cancel(): void } {
    let seenAtMs = clock.monotonic()
    const arm = (delayMs: number): Timer => clock.after(delayMs, check)
    const check = (): void => {
      if (!this.#initial) return
      const leftMs = seenAtMs + INITIAL_STALL_MS - clock.monotonic()
      if (leftMs > 0) timer = arm(leftMs)
      else this.#stall.abort(new Error('no initial events'))
    }
    let timer = this.#initial && arm(INITIAL_STALL_MS)
    return {
      seen: () => {
        if (this.#initial) seenAtMs = clock.monotonic()
      },
      cancel: () => timer?.cancel(),
    }
  }

  #apply(event: WatchEvent<T>): Promise<void> | undefined {
    if (event.type === 'ERROR') throw StatusError.fromBody(event.object as unknown as Partial<StatusBody>, 500)
    const { sink, transform } = this.#options
    const { object } = event
    if (event.type === 'BOOKMARK') {
      if (this.#initial && object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true') return this.#finishInitial(object)
    } else if (this.#initial) {
      if (event.type === 'DELETED') this.#initial.delete(keyOf(object))
      else this.#initial.set(keyOf(object), transform ? transform(object) : object)
    } else if (event.type === 'DELETED') {
      sink.delete(transform ? transform(object) : object)
    } else {
      sink.set(transform ? transform(object) : object)
    }
    if (!this.#initial) this.resourceVersion = object.metadata.resourceVersion ?? this.resourceVersion
    return undefined
  }

  async #finishInitial(bookmark: T): Promise<void> {
    const objects = [...(this.#initial?.values() ?? [])]
    this.#initial = undefined
    await this.#options.sink.replace(objects)
    this.resourceVersion = bookmark.metadata.resourceVersion
  }
}

function selection(options: Pick<ReflectorOptions<KubeObject>, 'namespace' | 'labelSelector' | 'fieldSelector'>): {
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
} {
  const { namespace, labelSelector, fieldSelector } = options
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  }
}
