import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { MetricTable } from '../telemetry/index.ts'

/** Why a connection is not carried. */
export type RefusalReason =
  /** Nothing is known of where it goes. */
  | 'noListener'
  /** The listener takes no such connections: plain text under strict, a server name that nobody has. */
  | 'noChain'
  /** The handshake failed, or the peer's certificate does. */
  | 'tls'
  /** The rules for connections say no. */
  | 'denied'
  /** Anything else: it ended too early, said nothing, or cannot be executed. */
  | 'other'

export class RefusedConnection extends Error {
  override readonly name = 'RefusedConnection'
  readonly code: RefusalReason

  constructor(code: RefusalReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Once in this time each listener says why it refuses. */
const EVERY_MS = 60_000
/** Of listeners and reasons that are remembered. */
const MAX_KEYS = 1_000
const METRICS: Readonly<Partial<Record<RefusalReason, string>>> = {
  noChain: 'envoy_listener_no_filter_chain_match',
  tls: 'envoy_listener_ssl_connection_error',
}

/** Counts connections that are refused, and says why: the first of a minute aloud, the others where somebody looks for them. */
export class Refusals {
  readonly #metrics: MetricTable
  readonly #clock: Clock
  readonly #log: Logger
  readonly #said = new Map<string, { atMs: number; suppressed: number }>()

  constructor(metrics: MetricTable, clock: Clock, log: Logger) {
    this.#metrics = metrics
    this.#clock = clock
    this.#log = log
  }

  note(listener: string, error: unknown, from: string): void {
    const reason: RefusalReason = error instanceof RefusedConnection ? error.code : 'other'
    const metric = METRICS[reason]
    if (metric !== undefined) this.#metrics.inc(this.#metrics.counter(metric, { envoy_listener_address: listener }))
    const fields = { listener, reason, from, error: messageOf(error) }
    if (reason === 'other' || !this.#isDue(`${listener} ${reason}`)) return this.#log.debug('a connection was refused', fields)
    const said = this.#said.get(`${listener} ${reason}`)
    const suppressed = said?.suppressed ?? 0
    if (said) said.suppressed = 0
    this.#log.warn('a connection was refused', { ...fields, ...(suppressed > 0 ? { alike: suppressed } : {}) })
  }

  /** Whether it is time to say it again. */
  #isDue(key: string): boolean {
    const nowMs = this.#clock.monotonic()
    const said = this.#said.get(key)
    if (said && nowMs - said.atMs < EVERY_MS) {
      said.suppressed++
      return false
    }
    if (said) said.atMs = nowMs
    else {
      const [oldest] = this.#said.keys()
      if (oldest !== undefined && this.#said.size >= MAX_KEYS) this.#said.delete(oldest)
      this.#said.set(key, { atMs: nowMs, suppressed: 0 })
    }
    return true
  }
}
