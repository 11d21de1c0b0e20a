import type { Clock } from '../../../../base/clock.ts'
import type { Connection } from '../../transport/contract.ts'
import type { UpstreamEvents, UpstreamRequest, UpstreamStream } from '../contract.ts'
import { ConnectionWatch, type ConnectionTimes } from './connection-watch.ts'
import { Http2Session, type SessionLimits } from './protocol.ts'
import { Http2UpstreamStream } from './upstream-stream.ts'
import { Wire } from './wire.ts'

/** How a connection to an upstream is used. */
export interface ClientConnectionOptions {
  readonly clock: Clock
  readonly limits: SessionLimits
  readonly times: ConnectionTimes
  /** 0: no limit. */
  readonly maxRequests: number
  /** More streams may be opened. */
  readonly onCapacity: () => void
  /** The connection is gone. */
  readonly onClose: () => void
}

/** One HTTP/2 connection to an upstream. */
export class Http2ClientConnection {
  readonly #session: Http2Session
  readonly #wire: Wire
  readonly #watch: ConnectionWatch
  readonly #maxRequests: number
  #requests = 0

  constructor(connection: Connection, options: ClientConnectionOptions) {
    const { clock, limits, times } = options
    this.#maxRequests = options.maxRequests
    this.#session = new Http2Session({
      isServer: false,
      limits,
      nowMs: () => clock.monotonic(),
      events: {
        onRequest: () => undefined,
        onOutput: () => this.#wire.schedule(),
        onCapacity: options.onCapacity,
        // Those that were not accepted have failed as unprocessed; the others go on.
        onGoAway: () => undefined,
        onEnd: () => this.#watch.ended(),
        onPong: () => this.#watch.pong(),
      },
    })
    this.#wire = new Wire(this.#session, connection, () => {
      this.#watch.stop()
      options.onClose()
    })
    this.#watch = new ConnectionWatch(this.#session, this.#wire, clock, times)
    this.#session.start()
    connection.handle(this.#wire)
  }

  get activeStreams(): number {
    return this.#session.streams.size
  }

  get canOpen(): boolean {
    return this.#session.canOpen && (this.#maxRequests === 0 || this.#requests < this.#maxRequests)
  }

  /** It takes no more streams, for ever. */
  get isGoingAway(): boolean {
    return this.#session.isGoingAway
  }

  /** The peer's settings are known. */
  get isSettled(): boolean {
    return !this.#session.peer.isUnknown
  }

  /** Whether the peer offers what the request asks for: extended CONNECT. */
  isReadyFor(request: UpstreamRequest): boolean {
    return request.head.upgrade === undefined || this.#session.peer.connectProtocol
  }

  /** Sends a request; the caller has seen that it {@link canOpen}. */
  open(request: UpstreamRequest, events: UpstreamEvents, onOver: () => void): UpstreamStream {
    const stream = new Http2UpstreamStream(this.#session, request, events, onOver)
    if (++this.#requests === this.#maxRequests) this.drain()
    return stream
  }

  /** Takes no more; closes when its streams have ended. */
  drain(): void {
    this.#watch.drain()
  }

  destroy(): void {
    this.#wire.destroy('destroyed')
  }
}
