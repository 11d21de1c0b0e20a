import type { Clock } from '../../../../base/clock.ts'
import type { UpstreamFailure, UpstreamOptions } from '../../contract.ts'
import type { Connection } from '../../transport/contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamRequest, UpstreamStream } from '../contract.ts'
import { type ConnectionTimes, DEFAULT_TIMES } from './connection-watch.ts'
import { Http2ClientConnection } from './http2-client-connection.ts'
import { DEFAULT_LIMITS, type SessionLimits } from './protocol.ts'

/** Makes a connection, with its TLS handshake. Exactly one of the callbacks follows, never from within the call, unless it was cancelled. */
export type Dial = (
  done: (connection: Connection) => void,
  failed: (kind: 'connect' | 'connectTimeout' | 'tls', message: string) => void,
) => { cancel(): void }

/** How the pool is made. */
export interface Http2EndpointOptions {
  readonly clock: Clock
  readonly address: string
  readonly dial: Dial
  readonly admit: UpstreamOptions['admit']
  readonly times?: Partial<ConnectionTimes>
  readonly limits?: Partial<SessionLimits>
  /** After this many requests a connection takes no more. 0: no limit. */
  readonly maxRequestsPerConnection?: number
}

/** Without word from the peer a connection is taken to allow this many streams; it also is how many requests may wait for one connection. */
const ASSUMED_STREAMS = 100

/** Streams that slow clients leave full must not stop the others: the window of the connection is that of all its streams. */
const UPSTREAM_LIMITS: SessionLimits = { ...DEFAULT_LIMITS, connectionWindowBytes: ASSUMED_STREAMS * DEFAULT_LIMITS.streamWindowBytes }

/** A request that waits for a connection. */
class Waiting implements UpstreamStream {
  readonly request: UpstreamRequest
  readonly events: UpstreamEvents
  readonly #onCancel: (waiting: Waiting) => void
  inner: UpstreamStream | undefined = undefined
  isPaused = false

  constructor(request: UpstreamRequest, events: UpstreamEvents, onCancel: (waiting: Waiting) => void) {
    this.request = request
    this.events = events
    this.#onCancel = onCancel
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.inner?.write(buffer, start, end) ?? false
  }

  end(trailers?: Parameters<UpstreamStream['end']>[0]): void {
    this.inner?.end(trailers)
  }

  cancel(): void {
    if (this.inner === undefined) this.#onCancel(this)
    else this.inner.cancel()
  }

  pause(): void {
    this.isPaused = true
    this.inner?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.inner?.resume()
  }
}

/** Connections to one endpoint that speaks HTTP/2: requests share them up to the peer's limit of streams, then another one is made. */
export class Http2Endpoint implements EngineEndpoint {
  readonly address: string
  readonly #options: Http2EndpointOptions
  readonly #open: Http2ClientConnection[] = []
  readonly #dialing = new Set<{ cancel(): void }>()
  #waiting: Waiting[] = []
  #activeRequests = 0
  #isDraining = false

  constructor(options: Http2EndpointOptions) {
    this.#options = options
    this.address = options.address
  }

  /** Requests under way, waiting ones too. */
  get activeRequests(): number {
    return this.#activeRequests + this.#waiting.length
  }

  /** Connections, those being made too. */
  get connections(): number {
    return this.#open.length + this.#dialing.size
  }

  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const connection = this.#pick()
    if (connection !== undefined) {
      const stream = this.#start(connection, request, events)
      if (stream !== undefined) {
        if (request.hasBody || request.head.upgrade !== undefined) queueMicrotask(() => events.onReady())
        return stream
      }
    }
    const waiting = new Waiting(request, events, (gone) => this.#cancelWaiting(gone))
    if (this.#isDraining) this.#failSoon(events, 'overflow', 'the endpoint is being drained')
    else if (!this.#options.admit.requestPending()) this.#failSoon(events, 'overflow', 'too many requests wait for a connection')
    else {
      this.#waiting.push(waiting)
      this.#dialIfNeeded()
    }
    return waiting
  }

  #pick(): Http2ClientConnection | undefined {
    let best: Http2ClientConnection | undefined
    for (const connection of this.#open) {
      if (connection.canOpen && (best === undefined || connection.activeStreams < best.activeStreams)) best = connection
    }
    return best
  }

  #start(connection: Http2ClientConnection, request: UpstreamRequest, events: UpstreamEvents): UpstreamStream | undefined {
    if (request.head.upgrade !== undefined && !connection.isReadyFor(request)) {
      if (connection.isSettled) this.#failSoon(events, 'protocol', 'the upstream does not offer extended CONNECT (RFC 8441)')
      else return undefined
    }
    this.#activeRequests++
    return connection.open(request, events, () => this.#activeRequests--)
  }

  #failSoon(events: UpstreamEvents, kind: UpstreamFailure['kind'], message: string): void {
    queueMicrotask(() => events.onFailure({ kind, message, unprocessed: true }))
  }

  #cancelWaiting(waiting: Waiting): void {
    const at = this.#waiting.indexOf(waiting)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    this.#options.admit.requestNoLongerPending()
  }

  #dialIfNeeded(): void {
    // Connections whose peer has not said how many streams it takes will have room soon.
    const soon = this.#dialing.size + this.#open.filter(({ isSettled, isGoingAway }) => !isSettled && !isGoingAway).length
    if (this.#waiting.length <= soon * ASSUMED_STREAMS) return
    const { admit, dial } = this.#options
    if (!admit.connectionOpening()) {
      // Those of other endpoints count, too. With a connection of our own there will be room again.
      if (this.connections === 0) queueMicrotask(() => this.#failWaiting('overflow', 'the cluster may have no more connections'))
      return
    }
    const attempt = dial(
      (connection) => {
        this.#dialing.delete(attempt)
        this.#opened(connection)
      },
      (kind, message) => {
        this.#dialing.delete(attempt)
        admit.connectionClosed()
        if (this.#dialing.size === 0) this.#failWaiting(kind, message)
      },
    )
    this.#dialing.add(attempt)
  }

  #failWaiting(kind: UpstreamFailure['kind'], message: string): void {
    for (const waiting of this.#waiting.splice(0)) {
      this.#options.admit.requestNoLongerPending()
      waiting.events.onFailure({ kind, message, unprocessed: true })
    }
  }

  #opened(connection: Connection): void {
    const { clock, limits, times, maxRequestsPerConnection } = this.#options
    const client: Http2ClientConnection = new Http2ClientConnection(connection, {
      clock,
      limits: { ...UPSTREAM_LIMITS, ...limits },
      times: { ...DEFAULT_TIMES, ...times },
      maxRequests: maxRequestsPerConnection ?? 0,
      onCapacity: () => this.#serveWaiting(),
      onClose: () => this.#closed(client),
    })
    this.#open.push(client)
    this.#serveWaiting()
    if (this.#isDraining) client.drain()
  }

  #closed(client: Http2ClientConnection): void {
    const at = this.#open.indexOf(client)
    if (at >= 0) this.#open.splice(at, 1)
    this.#options.admit.connectionClosed()
    if (this.#waiting.length > 0) this.#dialIfNeeded()
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#pick()
      const waiting = this.#waiting[0] as Waiting
      if (connection === undefined) break
      if (waiting.request.head.upgrade !== undefined && !connection.isReadyFor(waiting.request) && !connection.isSettled) return
      this.#waiting.shift()
      this.#options.admit.requestNoLongerPending()
      const stream = this.#start(connection, waiting.request, waiting.events)
      if (stream === undefined) continue
      waiting.inner = stream
      if (waiting.isPaused) stream.pause()
      waiting.events.onReady()
    }
    if (this.#waiting.length > 0) this.#dialIfNeeded()
  }

  drain(): void {
    this.#isDraining = true
    // Those without streams leave the list at once.
    for (const client of this.#open.slice()) client.drain()
  }

  destroy(): void {
    this.#isDraining = true
    for (const attempt of this.#dialing) {
      attempt.cancel()
      this.#options.admit.connectionClosed()
    }
    this.#dialing.clear()
    for (const client of this.#open.slice()) client.destroy()
    this.#failWaiting('closed', 'the endpoint was taken away')
  }
}
