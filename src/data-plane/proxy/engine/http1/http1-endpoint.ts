import type { UpstreamAdmission, UpstreamFailure } from '../../contract.ts'
import type { Connection } from '../../transport/contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamRequest, UpstreamStream } from '../contract.ts'
import type { Deadline, TimerWheel } from '../timer-wheel.ts'
import { ClientExchange, Http1ClientConnection, type ConnectionOwner } from './client-connection.ts'

/** Makes a connection. Exactly one of the callbacks follows, never from within the call, unless it was cancelled. */
export type Dial = (
  done: (connection: Connection) => void,
  failed: (kind: 'connect' | 'connectTimeout' | 'tls', message: string) => void,
) => { cancel(): void }

export interface Http1EndpointOptions {
  readonly address: string
  readonly dial: Dial
  readonly admit: UpstreamAdmission
  readonly wheel: TimerWheel
  readonly idleTimeoutMs: number
  /** 0: none. */
  readonly maxConnectionDurationMs: number
  /** 0: none. */
  readonly maxRequestsPerConnection: number
}

interface Waiting {
  readonly request: UpstreamRequest
  readonly exchange: ClientExchange
}

/** Pooled connections of HTTP/1.1 to one address. The one that was used last is used next: the others can grow old and go. */
export class Http1Endpoint implements EngineEndpoint, ConnectionOwner {
  readonly address: string
  readonly #options: Http1EndpointOptions
  readonly #pooled = new Map<Http1ClientConnection, Deadline>()
  readonly #idle: Http1ClientConnection[] = []
  readonly #waiting: Waiting[] = []
  readonly #dialing = new Set<{ cancel(): void }>()
  #active = 0
  #isDraining = false

  constructor(options: Http1EndpointOptions) {
    this.#options = options
    this.address = options.address
  }

  get activeRequests(): number {
    return this.#active + this.#waiting.length
  }

  get connections(): number {
    return this.#pooled.size + this.#dialing.size
  }

  open(request: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const exchange = new ClientExchange(request.head, events, (cancelled) => this.#leave(cancelled))
    const connection = this.#idle.pop()
    if (connection) {
      connection.isIdle = false
      this.#use(connection, request, exchange)
      return exchange
    }
    const { admit } = this.#options
    if (!admit.requestPending()) {
      this.#later(exchange, { kind: 'overflow', message: 'too many requests wait for a connection', unprocessed: true })
      return exchange
    }
    this.#waiting.push({ request, exchange })
    if (this.#dialing.size < this.#waiting.length && !this.#connect() && this.connections === 0) {
      this.#takeWaiting(exchange)
      this.#later(exchange, { kind: 'overflow', message: 'no more connections are allowed', unprocessed: true })
    }
    return exchange
  }

  drain(): void {
    this.#isDraining = true
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  destroy(): void {
    this.#isDraining = true
    for (const dialing of this.#dialing) {
      dialing.cancel()
      this.#options.admit.connectionClosed()
    }
    this.#dialing.clear()
    for (const { exchange } of this.#waiting.splice(0)) {
      this.#options.admit.requestNoLongerPending()
      exchange.events.onFailure({ kind: 'closed', message: 'the endpoint is gone', unprocessed: true })
    }
    for (const connection of this.#pooled.keys()) connection.destroy()
  }

  released(connection: Http1ClientConnection): void {
    this.#active--
    if (!connection.isOpen) return
    const { maxConnectionDurationMs, maxRequestsPerConnection, idleTimeoutMs, wheel } = this.#options
    const isOld = maxConnectionDurationMs > 0 && wheel.nowMs() - connection.openedMs >= maxConnectionDurationMs
    if (isOld || (maxRequestsPerConnection > 0 && connection.requests >= maxRequestsPerConnection)) {
      connection.destroy()
      return
    }
    // requests that came before the endpoint was given up are still carried out
    const next = this.#nextWaiting()
    if (next) return this.#use(connection, next.request, next.exchange)
    if (this.#isDraining) {
      connection.destroy()
      return
    }
    this.#idle.push(connection)
    connection.isIdle = true
    // it stays where it is on the wheel while requests come and go: only when it arrives is it looked at
    if (idleTimeoutMs > 0) connection.idle?.setAt(wheel.soonMs() + idleTimeoutMs)
  }

  closed(connection: Http1ClientConnection): void {
    const idle = this.#pooled.get(connection)
    if (!idle) return
    idle.cancel()
    this.#pooled.delete(connection)
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    else this.#active--
    this.#options.admit.connectionClosed()
    // somebody may have waited for exactly this
    if (this.#waiting.length > this.#dialing.size) this.#connect()
  }

  #use(connection: Http1ClientConnection, request: UpstreamRequest, exchange: ClientExchange): void {
    this.#active++
    connection.send(request, exchange.events, exchange)
  }

  /** @returns false: no more connections are allowed */
  #connect(): boolean {
    const { admit, dial, wheel } = this.#options
    if (!admit.connectionOpening()) return false
    const dialing = dial(
      (made) => {
        this.#dialing.delete(dialing)
        const connection = new Http1ClientConnection(made, this, wheel.nowMs())
        const idle = wheel.deadline(() => {
          if (connection.isIdle) connection.destroy()
        })
        connection.idle = idle
        this.#pooled.set(connection, idle)
        this.#active++
        this.released(connection)
      },
      (kind, message) => {
        this.#dialing.delete(dialing)
        admit.connectionClosed()
        // whoever waits longest has waited for this one
        const next = this.#nextWaiting()
        next?.exchange.events.onFailure({ kind, message, unprocessed: true })
      },
    )
    this.#dialing.add(dialing)
    return true
  }

  #nextWaiting(): Waiting | undefined {
    const next = this.#waiting.shift()
    if (next) this.#options.admit.requestNoLongerPending()
    return next
  }

  #takeWaiting(exchange: ClientExchange): void {
    const index = this.#waiting.findIndex((waiting) => waiting.exchange === exchange)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    this.#options.admit.requestNoLongerPending()
  }

  #leave(exchange: ClientExchange): void {
    this.#takeWaiting(exchange)
  }

  #later(exchange: ClientExchange, failure: UpstreamFailure): void {
    setImmediate(() => {
      if (!exchange.isCancelled) exchange.events.onFailure(failure)
    })
  }
}
