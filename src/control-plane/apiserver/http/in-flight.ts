import { StatusError } from '../../../base/errors.ts'
import type { Gauge, Metrics } from '../../../base/metrics.ts'

export interface InFlightOptions {
  /** get and list at once. Default 400, as upstream. */
  readonly maxReadOnly?: number
  /** create, update, patch and delete at once. Default 200, as upstream. */
  readonly maxMutating?: number
  readonly metrics: Metrics
}

/** Bounds the requests at work; those that live long (watches, followed logs, upgrades) and health checks do not count. */
export interface InFlight {
  /**
   * Takes a place. @returns a function that gives it back, to be called once
   * @throws {StatusError} `TooManyRequests`, to be retried after a second
   */
  enter(mutating: boolean): () => void
}

export function createInFlight(options: InFlightOptions): InFlight {
  const gauge = options.metrics.gauge(
    'apiserver_current_inflight_requests',
    'Requests at work, by kind; watches and other long requests not counted.',
    ['request_kind'],
  )
  const reading = place(options.maxReadOnly ?? 400, gauge.with('readOnly'))
  const writing = place(options.maxMutating ?? 200, gauge.with('mutating'))
  return { enter: (mutating) => (mutating ? writing() : reading()) }
}

function place(limit: number, gauge: Gauge): () => () => void {
  let taken = 0
  return () => {
    if (taken >= limit) {
      throw new StatusError('TooManyRequests', 'too many requests, please try again later', { details: { retryAfterSeconds: 1 } })
    }
    gauge.set(++taken)
    return () => gauge.set(--taken)
  }
}
