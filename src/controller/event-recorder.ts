import { events } from '../api/core/v1/event.ts'
import type { Event } from '../api/generated/types.ts'
import type { KubeObject } from '../api/meta/object.ts'
import type { Random } from '../base/backoff.ts'
import { sleep, type Clock } from '../base/clock.ts'
import { StatusError, isStatus } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Client } from '../client/client.ts'
import type { EventRecorder } from './contract.ts'
import { EventCorrelator, type Correlation, type EventDraft, type Moment } from './event-correlator.ts'

export interface EventSinkOptions {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics?: Metrics
  /** `source.host` of the events: the node's name for a node agent. */
  readonly host?: string
}

/** Events waiting to be written; more are dropped and counted. Source: client-go record maxQueuedEvents. */
const MAX_QUEUED = 1000
/** Attempts to write one event while the server cannot take it, and the time between them. */
const MAX_TRIES = 12
const RETRY_MS = 10_000
const MAX_NAME = 253

interface Queued {
  readonly draft: EventDraft
  readonly at: Moment
}

/**
 * Writes events in the background: recorders of one sink share its queue and its memory of what was written.
 * Source: k8s.io/client-go/tools/record.
 */
export class EventSink {
  readonly #options: EventSinkOptions
  readonly #correlator = new EventCorrelator()
  readonly #queue: Queued[] = []
  readonly #dropped: { inc(): void } | undefined
  /** Low digits of event names: begins at random, so that two writers do not meet, then counts. */
  #sequence: number
  #wake: (() => void) | undefined

  constructor(options: EventSinkOptions) {
    this.#options = options
    this.#sequence = Math.floor(options.random() * 1e6)
    const help = 'Events that were not written because too many waited'
    this.#dropped = options.metrics?.counter('biplane_events_dropped_total', help).with()
  }

  /** `component` becomes the event's source. */
  recorder(component: string): EventRecorder {
    return { event: (object, type, reason, message) => this.#add(component, object, { type, reason, message }) }
  }

  /** Writes what is recorded until the signal aborts; what waits then is lost. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#wake?.()
    signal.addEventListener('abort', stop, { once: true })
    while (!signal.aborted) {
      const next = this.#queue.shift()
      if (next) await this.#write(next, signal)
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    signal.removeEventListener('abort', stop)
  }

  #add(component: string, object: KubeObject, what: { type: string; reason: string; message: string }): void {
    if (this.#queue.length >= MAX_QUEUED) return this.#dropped?.inc()
    const { clock, host } = this.#options
    const { name, namespace, uid, resourceVersion } = object.metadata
    const draft: EventDraft = {
      involvedObject: { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion },
      ...what,
      source: host === undefined ? { component } : { component, host },
      reportingComponent: component,
      reportingInstance: host ?? '',
    }
    this.#queue.push({ draft, at: { wallMs: clock.now(), monotonicMs: clock.monotonic() } })
    this.#wake?.()
  }

  async #write(queued: Queued, signal: AbortSignal): Promise<void> {
    const correlation = this.#correlator.correlate(queued.draft, queued.at)
    if (correlation.action === 'drop') return
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return await this.#send(queued, correlation, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!isTemporary(error) || attempt >= MAX_TRIES) {
          return this.#options.log.debug('event not written', { reason: queued.draft.reason, error })
        }
        await sleep(this.#options.clock, RETRY_MS * this.#options.random(), signal).catch(() => {})
      }
    }
  }

  async #send(queued: Queued, correlation: Exclude<Correlation, { action: 'drop' }>, signal: AbortSignal): Promise<void> {
    const resource = this.#options.client.of(events)
    const namespace = queued.draft.involvedObject.namespace || 'default'
    const { key, message, count } = correlation
    if (correlation.action === 'count') {
      const patch = { count, message, lastTimestamp: timestamp(queued.at.wallMs) }
      try {
        await resource.patch(correlation.name, patch, { type: 'merge', namespace, signal })
        return
      } catch (error) {
        // it outlived its time to live: write it anew
        if (!isStatus(error, 'NotFound')) throw error
      }
    }
    const event = this.#build(queued, correlation, namespace)
    await resource.create(event, { signal })
    this.#correlator.written(key, event.metadata.name)
  }

  #build({ draft, at }: Queued, correlation: Exclude<Correlation, { action: 'drop' }>, namespace: string): Event {
    // nanoseconds in upstream
    this.#sequence = (this.#sequence + 1) % 1e6
    const suffix = (BigInt(Math.floor(at.wallMs)) * 1_000_000n + BigInt(this.#sequence)).toString(16)
    const name = `${(draft.involvedObject.name ?? '').slice(0, MAX_NAME - suffix.length - 1)}.${suffix}`
    return {
      apiVersion: 'v1',
      kind: 'Event',
      ...draft,
      metadata: { name, namespace },
      message: correlation.message,
      count: correlation.count,
      firstTimestamp: timestamp(correlation.firstMs),
      lastTimestamp: timestamp(at.wallMs),
    }
  }
}

/** The server may take it later: it cannot be reached, or it is overloaded. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof StatusError) || error.code >= 500 || error.code === 429
}

/** RFC 3339 in whole seconds, as metav1.Time is written. */
function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
