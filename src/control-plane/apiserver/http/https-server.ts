import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { isStatus, messageOf, StatusError } from '../../../base/errors.ts'
import { onClientError, refuseOnSocket } from './client-error.ts'
import { createConnectionCap } from './connection-cap.ts'
import { authenticateHead, checkHead, Exchange, type AuthenticatedHead, type ExchangeOptions } from './exchange.ts'
import type { FloodLimits } from './flood-guard.ts'
import { guardSession } from './session-guard.ts'

export interface HttpLimits {
  /** Default 3 MiB. */
  readonly maxBodyBytes?: number
  /** For the request line and headers. Default 8,000. */
  readonly headTimeoutMs?: number
  /** For the body, after the head. Default 9,000. */
  readonly bodyTimeoutMs?: number
  /** How long a client may take nothing of what waits for it. Default 30,000. */
  readonly stallTimeoutMs?: number
  /** How long a connection may stay without a request. Default 10 minutes. */
  readonly idleTimeoutMs?: number
  /** Default 10,000. */
  readonly maxConnectionsPerAddress?: number
  readonly resets?: FloodLimits
}

/** PEM texts. */
export interface ServingCertificate {
  readonly key: string
  readonly cert: string
  /** Signs the client certificates that are believed. */
  readonly clientCa: string
}

/** Takes over the socket of an HTTP/1.1 upgrade. @throws {StatusError} to refuse, as long as it has written nothing */
export type UpgradeHandler = (
  head: AuthenticatedHead & { readonly protocol: string; readonly headers: IncomingMessage['headers'] },
  socket: Duplex,
  first: Buffer,
) => Promise<void>

export interface HttpsServerOptions extends Omit<ExchangeOptions, 'maxBodyBytes' | 'bodyTimeoutMs' | 'stallTimeoutMs'> {
  readonly certificate: ServingCertificate
  readonly limits?: HttpLimits
  readonly upgrade?: UpgradeHandler
}

/**
 * HTTPS for the API: HTTP/2 and HTTP/1.1 on one port, one exchange per request. Slow, flooding and malformed clients are bounded here;
 * handlers see checked, authenticated requests only.
 */
export class HttpsServer {
  readonly #options: HttpsServerOptions
  readonly #exchange: ExchangeOptions
  readonly #limits: Required<Omit<HttpLimits, 'resets'>> & Pick<HttpLimits, 'resets'>
  readonly #server: Http2SecureServer
  readonly #exchanges = new Set<Exchange>()
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new Set<Socket>()
  #stopping = false
  #onIdle: (() => void) | undefined

  constructor(options: HttpsServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#exchange = { ...options, ...this.#limits }
    this.#server = this.#createServer()
  }

  /** @returns the address listened on: `port` 0 asks for a free one */
  async listen(host: string, port: number): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    this.#server.on('error', (error) => this.#options.log.error('https server error', { error }))
    return this.#server.address() as AddressInfo
  }

  /** Accepts nothing new, ends watches, lets requests finish for `graceMs`, then closes every connection. */
  async close(graceMs: number): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const session of this.#sessions) session.close()
    for (const exchange of this.#exchanges) if (exchange.longRunning) exchange.stop()
    await this.#idle(graceMs)
    for (const exchange of this.#exchanges) exchange.abort()
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #idle(graceMs: number): Promise<void> {
    if (this.#exchanges.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(graceMs, resolve)
      this.#onIdle = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #createServer(): Http2SecureServer {
    const { key, cert, clientCa } = this.#options.certificate
    const server = createSecureServer({
      key,
      cert,
      ca: clientCa,
      allowHTTP1: true,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#limits.headTimeoutMs,
      maxSessionMemory: 64,
      maxHeaderListPairs: 128,
      settings: { maxConcurrentStreams: 1000, maxHeaderListSize: 32 * 1024, initialWindowSize: 256 * 1024 },
    })
    Object.assign(server, {
      headersTimeout: this.#limits.headTimeoutMs,
      // only a backstop: bodies have their own deadline, which can still answer
      requestTimeout: this.#limits.headTimeoutMs + this.#limits.bodyTimeoutMs + 5000,
      keepAliveTimeout: this.#limits.idleTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, this.#limits.headTimeoutMs / 4)),
    })
    this.#capConnections(server)
    server.on('request', (request, response) => void this.#run(new Exchange(request, response, this.#exchange)))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => void this.#upgrade(request, socket, first))
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
      guardSession(session, { clock: this.#options.clock, log: this.#options.log, ...this.#limits })
    })
    server.on('sessionError', (error: Error) => this.#options.log.debug('http/2 session error', { error: messageOf(error) }))
    server.on('clientError', onClientError)
    return server
  }

  /** Comes before TLS: a refused connection costs no handshake. */
  #capConnections(server: Http2SecureServer): void {
    const cap = createConnectionCap(this.#limits.maxConnectionsPerAddress)
    const accept = server.listeners('connection') as ((socket: Socket) => void)[]
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      if (!cap.admit(socket)) return
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      for (const listener of accept) listener.call(server, socket)
    })
  }

  async #run(exchange: Exchange): Promise<void> {
    this.#exchanges.add(exchange)
    await exchange.run()
    this.#exchanges.delete(exchange)
    if (this.#exchanges.size === 0) this.#onIdle?.()
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, first: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    try {
      const head = await authenticateHead(request, checkHead(request), this.#options)
      if (!this.#options.upgrade) throw new StatusError('BadRequest', 'nothing here can be upgraded')
      await this.#options.upgrade(
        { ...head, protocol: (request.headers.upgrade ?? '').toLowerCase(), headers: request.headers },
        socket,
        first,
      )
    } catch (error) {
      if (!isStatus(error)) this.#options.log.error('upgrade failed', { error })
      refuseOnSocket(socket, isStatus(error) ? error : new StatusError('InternalError', 'the upgrade failed'))
    }
  }
}

const DEFAULT_LIMITS: Required<Omit<HttpLimits, 'resets'>> = {
  maxBodyBytes: 3 * 1024 * 1024,
  headTimeoutMs: 8000,
  bodyTimeoutMs: 9000,
  stallTimeoutMs: 30_000,
  idleTimeoutMs: 600_000,
  maxConnectionsPerAddress: 10_000,
}
