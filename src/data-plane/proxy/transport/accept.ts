import { createServer, type Server, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { readClientHello } from './client-hello.ts'
import type { ClientHello, Connection, ServerTlsOptions } from './contract.ts'
import type { SharedHandle } from './shared-socket.ts'
import { SocketConnection, tlsSessionOf, type WrapSocket } from './socket-connection.ts'

const BACKLOG = 1_024

export interface ListenOptions {
  readonly host?: string
  readonly port?: number
  /** Instead of host and port. */
  readonly path?: string
  /** Wins over all of them: a socket that is bound, and given away. */
  readonly fd?: number
  /** Wins over all of them: a socket that is bound already, perhaps by another process, and shared with others that listen on it. Closed with the acceptor. */
  readonly handle?: SharedHandle
  /** Default 4,096. */
  readonly maxConnections?: number
}

/** A socket that takes connections. */
export interface Acceptor {
  readonly port: number
  /** Takes nothing new; connections that are open go on. */
  close(): Promise<void>
}

/** What the first bytes of a connection tell; they are still to be read. */
export interface Peeked {
  readonly hello?: ClientHello
  readonly firstBytes: Buffer
}

/** A connection that nothing was read from yet. */
export interface Accepted {
  readonly remote: Connection['remote']
  readonly local: Connection['local']
  readonly fd: number
  /**
   * Waits for first bytes until `enough` says that they tell enough, or `timeoutMs` are over: then it resolves with what has come. Rejects when the
   * connection ends before anything has come.
   */
  peek(enough: (bytes: Buffer) => boolean, timeoutMs: number): Promise<Peeked>
  /** Goes on in plain text. */
  plain(): Connection
  /** Goes on in TLS, this end being the server. @throws Error when the handshake fails; then the connection is gone */
  secure(options: ServerTlsOptions): Promise<Connection>
  destroy(): void
}

/**
 * Listens. @param wrap what connections are made of; default: public sockets. See `transport` of choose-transport.ts
 * @throws Error as net.Server does (EADDRINUSE, EACCES)
 */
export async function listen(
  options: ListenOptions,
  accept: (accepted: Accepted) => void,
  wrap: WrapSocket = SocketConnection.wrap,
): Promise<Acceptor> {
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
    accept(new AcceptedSocket(socket, wrap)),
  )
  server.maxConnections = options.maxConnections ?? 4_096
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const opened = (): void => {
      server.off('error', reject)
      resolve()
    }
    const { handle } = options
    if (handle) server.listen({ _handle: handle }, BACKLOG, opened)
    else server.listen({ ...options, backlog: BACKLOG }, opened)
  })
  server.on('error', () => {})
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

class AcceptedSocket implements Accepted {
  readonly #socket: Socket
  readonly #wrap: WrapSocket
  readonly remote: Connection['remote']
  readonly local: Connection['local']
  readonly fd: number

  constructor(socket: Socket, wrap: WrapSocket) {
    this.#socket = socket
    this.#wrap = wrap
    const seen = new SocketConnection(socket)
    this.remote = seen.remote
    this.local = seen.local
    this.fd = seen.fd
    seen.release()
    // nothing else listens while first bytes are waited for
    socket.on('error', () => {})
  }

  peek(enough: (bytes: Buffer) => boolean, timeoutMs: number): Promise<Peeked> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      let bytes: Buffer = Buffer.alloc(0)
      const timer = setTimeout(() => finish(), timeoutMs)
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        socket.off('data', onData).off('end', onEnd).off('close', onClose)
        socket.pause()
        if (error) return reject(error)
        if (bytes.length > 0) socket.unshift(bytes)
        const hello = readClientHello(bytes)
        resolve({ firstBytes: bytes, ...(typeof hello === 'object' ? { hello } : {}) })
      }
      const onData = (chunk: Buffer): void => {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
        if (enough(bytes)) finish()
      }
      const onEnd = (): void => (bytes.length > 0 ? finish() : finish(new Error('the connection ended before anything was said')))
      const onClose = (): void => finish(new Error('the connection was closed'))
      socket.on('data', onData).on('end', onEnd).on('close', onClose)
      socket.resume()
    })
  }

  plain(): Connection {
    return this.#wrap(this.#socket)
  }

  secure(options: ServerTlsOptions): Promise<Connection> {
    const { context, alpn, clientCertificate, handshakeTimeoutMs } = options
    const raw = this.#socket
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: context,
      requestCert: clientCertificate === 'require',
      rejectUnauthorized: clientCertificate === 'require',
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    })
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new Error(`no TLS handshake within ${handshakeTimeoutMs} ms`)), handshakeTimeoutMs)
      const fail = (error: Error): void => {
        clearTimeout(timer)
        socket.destroy()
        raw.destroy()
        reject(error)
      }
      const onClose = (): void => fail(new Error('the connection was closed during the TLS handshake'))
      socket.once('error', fail)
      raw.once('close', onClose)
      socket.once('secure', () => {
        // a server that is made by hand has to look for itself
        const error = (socket as unknown as { readonly _handle?: { verifyError(): Error | null } })._handle?.verifyError()
        if (clientCertificate === 'require' && error) return fail(error)
        clearTimeout(timer)
        socket.off('error', fail)
        raw.off('close', onClose)
        resolve(this.#wrap(socket, tlsSessionOf(socket)))
      })
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
