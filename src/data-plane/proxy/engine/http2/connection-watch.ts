import type { Clock, Timer } from '../../../../base/clock.ts'
import { ErrorCode, type Http2Session } from './protocol.ts'
import type { Wire } from './wire.ts'

/** Times of a connection in milliseconds; 0: never. */
export interface ConnectionTimes {
  /** Without any stream; then it ends with GOAWAY. */
  readonly idleTimeoutMs: number
  /** Age at which it takes no more streams. */
  readonly maxConnectionDurationMs: number
  /** From the first GOAWAY to the end, whatever is still under way. */
  readonly drainTimeoutMs: number
  /** Quiet for this long: a PING asks whether the peer is there. */
  readonly keepaliveIntervalMs: number
  /** No sign of life after the PING: the connection is given up. */
  readonly keepaliveTimeoutMs: number
  /** Something to send, and the peer takes nothing for this long (zero windows, reading nothing). */
  readonly stallTimeoutMs: number
}

/** See {@link ConnectionTimes}; as Envoy's where it has them. */
export const DEFAULT_TIMES: ConnectionTimes = {
  idleTimeoutMs: 3_600_000,
  maxConnectionDurationMs: 0,
  drainTimeoutMs: 30_000,
  keepaliveIntervalMs: 0,
  keepaliveTimeoutMs: 20_000,
  stallTimeoutMs: 300_000,
}

/** For the last bytes to go out and the peer to close. */
const LINGER_MS = 5_000

/** Looks after a connection's times with one timer, a quarter of the shortest of them apart. */
export class ConnectionWatch {
  readonly #session: Http2Session
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #times: ConnectionTimes
  readonly #startedMs: number
  #idleSinceMs: number
  #activeMs: number
  #progressMs: number
  #progress = 0
  #pingMs = 0
  #drainMs = 0
  #timer: Timer | undefined

  constructor(session: Http2Session, wire: Wire, clock: Clock, times: ConnectionTimes) {
    this.#session = session
    this.#wire = wire
    this.#clock = clock
    this.#times = times
    this.#startedMs = this.#idleSinceMs = this.#activeMs = this.#progressMs = clock.monotonic()
    this.#arm()
  }

  /** An answer to PING. */
  pong(): void {
    this.#pingMs = 0
  }

  /** No new streams; what is under way may end until `drainTimeoutMs`. */
  drain(): void {
    if (this.#drainMs === 0) this.#drainMs = this.#clock.monotonic()
    this.#session.drain()
    this.#arm()
  }

  /** The session is over and the last of it goes out: a peer that does not close its side, or takes nothing, is not waited for. */
  ended(): void {
    this.stop()
    this.#wire.end()
    this.#timer = this.#clock.after(LINGER_MS, () => this.#wire.destroy('the peer does not close the connection'))
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    // then the timer is that of the end
    if (this.#session.isEnded) return
    const { idleTimeoutMs, maxConnectionDurationMs, drainTimeoutMs, keepaliveIntervalMs, stallTimeoutMs } = this.#times
    const times = [
      idleTimeoutMs,
      maxConnectionDurationMs,
      keepaliveIntervalMs,
      stallTimeoutMs,
      this.#drainMs > 0 ? Math.min(drainTimeoutMs, 2000) : 0,
    ]
    const shortest = Math.min(...times.filter((ms) => ms > 0))
    this.#timer?.cancel()
    if (shortest < Infinity) this.#timer = this.#clock.after(Math.max(10, shortest / 4), () => this.#look())
  }

  #look(): void {
    const session = this.#session
    const times = this.#times
    const now = this.#clock.monotonic()
    if (session.isEnded) return
    if (this.#wire.isActive) this.#activeMs = now
    this.#wire.isActive = false
    const { sender, output } = session
    // PINGs go out whatever the windows say: where DATA waits, DATA alone is progress.
    const progress = sender.waitingStreams > 0 ? -1 - sender.dataFrames : this.#wire.progress
    if (progress !== this.#progress || (sender.waitingStreams === 0 && output.unsentBytes === 0)) this.#progressMs = now
    this.#progress = progress
    if (session.streams.size > 0) this.#idleSinceMs = now
    const isOver = (sinceMs: number, ms: number): boolean => ms > 0 && now - sinceMs >= ms
    if (isOver(this.#progressMs, times.stallTimeoutMs)) return this.#wire.destroy('the peer takes nothing of what it asked for')
    if (this.#drainMs > 0) {
      if (isOver(this.#drainMs, Math.min(1000, times.drainTimeoutMs / 2))) session.finishDrain()
      if (isOver(this.#drainMs, times.drainTimeoutMs)) return session.onFault(ErrorCode.noError, 'drained for long enough')
    } else if (isOver(this.#idleSinceMs, times.idleTimeoutMs) || isOver(this.#startedMs, times.maxConnectionDurationMs)) return this.drain()
    if (times.keepaliveIntervalMs > 0) {
      if (this.#pingMs > 0 && this.#activeMs > this.#pingMs) this.#pingMs = 0
      if (isOver(this.#pingMs, times.keepaliveTimeoutMs) && this.#pingMs > 0) return this.#wire.destroy('no answer to PING')
      if (this.#pingMs === 0 && isOver(this.#activeMs, times.keepaliveIntervalMs)) {
        this.#pingMs = now
        session.ping()
      }
    }
    this.#arm()
  }
}
