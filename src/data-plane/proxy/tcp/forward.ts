import type { Connection, ConnectionHandler } from '../transport/contract.ts'
import type { Deadline, TimerWheel } from '../engine/timer-wheel.ts'

export interface TcpForwardOptions {
  readonly wheel: TimerWheel
  /** Without a byte in either direction. 0: for ever. Default 3,600,000, as Envoy's tcp_proxy. */
  readonly idleTimeoutMs?: number
  /** From now on, whatever happens. Default 0: none. */
  readonly maxDurationMs?: number
  /** Called once, when both connections are gone. */
  readonly onEnd?: (summary: TcpSummary) => void
}

/** Why and after how much it ended. */
export interface TcpSummary {
  /** Bytes from the client, and to it. */
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly durationMs: number
  /** `done`: both said that they send no more. */
  readonly reason: 'done' | 'downstream' | 'upstream' | 'idle' | 'maxDuration' | 'destroyed'
  readonly error?: Error
}

/** Two connections joined. */
export interface TcpForwarding {
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Ends both at once. */
  destroy(): void
}

const IDLE_TIMEOUT_MS = 3_600_000
/** For what the other side may still have to take when one is gone with an error-free close. */
const LINGER_MS = 5_000

/**
 * Carries bytes between a client's connection and an upstream's until both have ended, one has broken or a time is over. The end of one direction is handed
 * on and the other goes on. Memory is bounded by what the transport holds for each direction.
 */
export function forwardTcp(downstream: Connection, upstream: Connection, options: TcpForwardOptions): TcpForwarding {
  return new Forwarding(downstream, upstream, options)
}

class Forwarding implements TcpForwarding {
  readonly #options: TcpForwardOptions
  readonly #startedMs: number
  readonly #idle: Deadline
  readonly #idleMs: number
  readonly #maximum: Deadline
  readonly #down: Direction
  readonly #up: Direction
  #reason: TcpSummary['reason'] | undefined
  #error: Error | undefined
  #open = 2

  constructor(downstream: Connection, upstream: Connection, options: TcpForwardOptions) {
    const { wheel, idleTimeoutMs = IDLE_TIMEOUT_MS, maxDurationMs = 0 } = options
    this.#options = options
    this.#startedMs = wheel.nowMs()
    this.#idleMs = idleTimeoutMs
    this.#idle = wheel.deadline(() => this.#stop('idle'))
    this.#maximum = wheel.deadline(() => this.#stop('maxDuration'))
    this.#maximum.set(maxDurationMs)
    const touch = (): void => this.touch()
    this.#down = new Direction(downstream, upstream, touch, (error) => this.#gone('downstream', error))
    this.#up = new Direction(upstream, downstream, touch, (error) => this.#gone('upstream', error))
    this.touch()
    downstream.handle(this.#down)
    upstream.handle(this.#up)
    this.#down.other = this.#up
    this.#up.other = this.#down
  }

  get bytesReceived(): number {
    return this.#down.bytes
  }

  get bytesSent(): number {
    return this.#up.bytes
  }

  destroy(): void {
    this.#stop('destroyed')
  }

  touch(): void {
    this.#idle.set(this.#idleMs)
  }

  #stop(reason: TcpSummary['reason']): void {
    this.#reason ??= reason
    this.#down.from.destroy()
    this.#up.from.destroy()
  }

  #gone(side: 'downstream' | 'upstream', error: Error | undefined): void {
    this.#open--
    const [own, other] = side === 'downstream' ? [this.#down, this.#up] : [this.#up, this.#down]
    if (!this.#reason) {
      this.#reason = own.hasEnded && other.hasEnded && !error ? 'done' : side
      this.#error = error
    }
    if (this.#open > 0) {
      // a reset is handed on as one; after an orderly end the other side still gets what waits for it, for a while
      if (error || !own.hasEnded) other.from.destroy()
      else {
        other.from.end()
        this.#idle.set(Math.min(this.#idleMs || LINGER_MS, LINGER_MS))
      }
      return
    }
    this.#idle.cancel()
    this.#maximum.cancel()
    this.#options.onEnd?.({
      bytesReceived: this.bytesReceived,
      bytesSent: this.bytesSent,
      durationMs: this.#options.wheel.nowMs() - this.#startedMs,
      reason: this.#reason,
      ...(this.#error ? { error: this.#error } : {}),
    })
  }
}

/** From one connection to the other. */
class Direction implements ConnectionHandler {
  readonly from: Connection
  readonly #to: Connection
  readonly #touch: () => void
  readonly #gone: (error: Error | undefined) => void
  other: Direction | undefined
  bytes = 0
  hasEnded = false

  constructor(from: Connection, to: Connection, touch: () => void, gone: (error: Error | undefined) => void) {
    this.from = from
    this.#to = to
    this.#touch = touch
    this.#gone = gone
  }

  onData(buffer: Buffer, start: number, end: number): void {
    this.bytes += end - start
    this.#touch()
    if (!this.#to.write(buffer, start, end)) this.from.pause()
  }

  onEnd(): void {
    this.hasEnded = true
    this.#touch()
    this.#to.end()
  }

  /** This side takes bytes again: the other may send some. */
  onDrain(): void {
    this.#touch()
    this.other?.from.resume()
  }

  onClose(error?: Error): void {
    this.#gone(error)
  }
}
