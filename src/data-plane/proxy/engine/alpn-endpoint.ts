import type { Headers, ResponseHead, UpstreamAdmission, UpstreamFailure } from '../contract.ts'
import type { Connection } from '../transport/contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamRequest, UpstreamStream } from './contract.ts'
import type { Dial } from './http1/http1-endpoint.ts'

export type AlpnProtocol = 'http1' | 'http2'

export interface AlpnEndpointOptions {
  readonly address: string
  /** Offers both protocols. */
  readonly dial: Dial
  readonly admit: UpstreamAdmission
  /** Makes the pool of a protocol; it dials by what it is given. */
  readonly open: (protocol: AlpnProtocol, dial: Dial) => EngineEndpoint
}

/**
 * Pooled connections to a server that says by ALPN (RFC 7301) what it speaks: the first connection decides, and becomes the first of its pool. A server that
 * chooses otherwise later, after it was replaced, fails one try, and is asked anew at the next.
 */
export class AlpnEndpoint implements EngineEndpoint {
  readonly address: string
  readonly #options: AlpnEndpointOptions
  #pool: { readonly protocol: AlpnProtocol; readonly endpoint: EngineEndpoint } | undefined
  /** Connections that were made and belong to the pool that is to come. */
  readonly #made: Connection[] = []
  #waiting: WaitingStream[] = []
  #asking: { cancel(): void } | undefined
  /** Of protocols that the server does not choose any more: what runs there goes on. */
  readonly #former = new Set<EngineEndpoint>()
  #isDraining = false

  constructor(options: AlpnEndpointOptions) {
    this.#options = options
    this.address = options.address
  }

  get activeRequests(): number {
    return this.#pools().reduce((sum, { activeRequests }) => sum + activeRequests, this.#waiting.length)
  }

  get connections(): number {
    return this.#pools().reduce((sum, { connections }) => sum + connections, this.#asking ? 1 : 0)
  }

  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    if (this.#pool) return this.#pool.endpoint.open(request, events)
    const stream: WaitingStream = new WaitingStream(request, events, () => this.#cancelled(stream))
    if (!this.#options.admit.requestPending()) {
      stream.failSoon({ kind: 'overflow', message: 'too many requests wait for a connection', unprocessed: true })
      return stream
    }
    this.#waiting.push(stream)
    if (!this.#asking && !this.#ask()) this.#takeWaiting().forEach((one) => one.failSoon(NO_MORE))
    return stream
  }

  drain(): void {
    this.#isDraining = true
    for (const pool of this.#pools()) pool.drain()
  }

  destroy(): void {
    this.#isDraining = true
    if (this.#asking) {
      this.#asking.cancel()
      this.#asking = undefined
      this.#options.admit.connectionClosed()
    }
    for (const stream of this.#takeWaiting()) stream.onFailure({ kind: 'closed', message: 'the endpoint is gone', unprocessed: true })
    for (const pool of this.#pools()) pool.destroy()
  }

  #pools(): readonly EngineEndpoint[] {
    return this.#pool ? [this.#pool.endpoint, ...this.#former] : [...this.#former]
  }

  #cancelled(stream: WaitingStream): void {
    const index = this.#waiting.indexOf(stream)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    this.#options.admit.requestNoLongerPending()
  }

  #takeWaiting(): readonly WaitingStream[] {
    const waiting = this.#waiting
    this.#waiting = []
    for (const _ of waiting) this.#options.admit.requestNoLongerPending()
    return waiting
  }

  /** @returns false: no more connections are allowed */
  #ask(): boolean {
    const { admit, dial } = this.#options
    if (!admit.connectionOpening()) return false
    this.#asking = dial(
      (connection) => {
        this.#asking = undefined
        // the pool counts it when it takes it over
        admit.connectionClosed()
        if (this.#waiting.length === 0) return connection.destroy()
        this.#made.push(connection)
        this.#become(protocolOf(connection))
      },
      (kind, message) => {
        this.#asking = undefined
        admit.connectionClosed()
        for (const stream of this.#takeWaiting()) stream.onFailure({ kind, message, unprocessed: true })
      },
    )
    return true
  }

  #become(protocol: AlpnProtocol): void {
    const endpoint = this.#options.open(protocol, this.#dialFor(protocol))
    this.#pool = { protocol, endpoint }
    for (const stream of this.#takeWaiting()) stream.start(endpoint)
    if (this.#isDraining) endpoint.drain()
    for (const connection of this.#made.splice(1)) connection.destroy()
  }

  #dialFor(expected: AlpnProtocol): Dial {
    return (done, failed) => {
      const made = this.#made.pop()
      if (made) {
        let isCancelled = false
        queueMicrotask(() => (isCancelled ? made.destroy() : done(made)))
        return { cancel: () => void (isCancelled = true) }
      }
      return this.#options.dial((connection) => {
        const protocol = protocolOf(connection)
        if (protocol === expected) return done(connection)
        connection.destroy()
        this.#leave(expected)
        failed('connect', `the server chooses ${protocol} now, it was ${expected}`)
      }, failed)
    }
  }

  #leave(protocol: AlpnProtocol): void {
    if (this.#pool?.protocol !== protocol) return
    const { endpoint } = this.#pool
    this.#pool = undefined
    for (const former of this.#former) if (former.connections === 0) this.#former.delete(former)
    this.#former.add(endpoint)
    endpoint.drain()
  }
}

const NO_MORE: UpstreamFailure = { kind: 'overflow', message: 'no more connections are allowed', unprocessed: true }

/** Who answers without ALPN speaks HTTP/1.1. */
const protocolOf = ({ tls }: Connection): AlpnProtocol => (tls?.alpn === 'h2' ? 'http2' : 'http1')

/** A request before it is known what will be spoken; afterwards it stands between both sides and adds nothing. */
class WaitingStream implements UpstreamStream, UpstreamEvents {
  readonly #request: UpstreamRequest
  readonly #events: UpstreamEvents
  readonly #onCancel: () => void
  #inner: UpstreamStream | undefined
  #isPaused = false
  #isReady = false
  #isOver = false

  constructor(request: UpstreamRequest, events: UpstreamEvents, onCancel: () => void) {
    this.#request = request
    this.#events = events
    this.#onCancel = onCancel
  }

  start(endpoint: EngineEndpoint): void {
    this.#inner = endpoint.open(this.#request, this)
    if (this.#isPaused) this.#inner.pause()
    // from within `open` there was no stream yet that a body could go to
    if (this.#isReady) this.#events.onReady()
  }

  failSoon(failure: UpstreamFailure): void {
    queueMicrotask(() => this.onFailure(failure))
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#inner?.write(buffer, start, end) ?? false
  }

  end(trailers?: Headers): void {
    this.#inner?.end(trailers)
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#inner) this.#inner.cancel()
    else this.#onCancel()
  }

  pause(): void {
    this.#isPaused = true
    this.#inner?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#inner?.resume()
  }

  onReady(): void {
    this.#isReady = true
    if (this.#inner) this.#events.onReady()
  }

  onInformational(status: number, headers: Headers): void {
    this.#events.onInformational(status, headers)
  }

  onHead(head: ResponseHead, end: boolean): void {
    this.#events.onHead(head, end)
  }

  onData(buffer: Buffer, start: number, end: number): void {
    this.#events.onData(buffer, start, end)
  }

  onEnd(trailers?: Headers): void {
    this.#isOver = true
    this.#events.onEnd(trailers)
  }

  onDrain(): void {
    this.#events.onDrain()
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#events.onFailure(failure)
  }
}
