import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { Connection, ConnectionHandler, TlsSession } from './contract.ts'

/** Above this many bytes that wait, writers are told to wait. */
const HIGH_WATER_BYTES = 256 * 1024

/** Makes a connection of a socket that is connected, or whose handshake is over. */
export type WrapSocket = (socket: Socket, tls?: TlsSession) => Connection

/** A Connection over Node's public sockets. */
export class SocketConnection implements Connection {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  tls?: TlsSession
  readonly #socket: Socket
  #handler: ConnectionHandler | undefined
  #isFull = false
  #isClosed = false
  #error: Error | undefined

  static readonly wrap: WrapSocket = (socket, tls) => new SocketConnection(socket, tls)

  constructor(socket: Socket, tls?: TlsSession) {
    this.#socket = socket
    if (tls) this.tls = tls
    this.remote = { address: plain(socket.remoteAddress), port: socket.remotePort ?? 0 }
    this.local = { address: plain(socket.localAddress), port: socket.localPort ?? 0 }
    socket.setNoDelay(true)
    socket.on('error', (error: Error) => (this.#error = error))
    socket.on('data', (chunk: Buffer) => this.#handler?.onData(chunk, 0, chunk.length))
    socket.on('end', () => this.#handler?.onEnd())
    socket.on('drain', () => {
      if (!this.#isFull) return
      this.#isFull = false
      this.#handler?.onDrain()
    })
    socket.on('close', () => {
      this.#isClosed = true
      this.#handler?.onClose(this.#error)
    })
    socket.pause()
  }

  get fd(): number {
    return (this.#socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  /** The socket itself, with what was read from it put back: for TLS. */
  release(): Socket {
    for (const event of ['error', 'data', 'end', 'drain', 'close']) this.#socket.removeAllListeners(event)
    return this.#socket
  }

  handle(handler: ConnectionHandler): void {
    const isFirst = this.#handler === undefined
    this.#handler = handler
    if (this.#isClosed) {
      process.nextTick(() => handler.onClose(this.#error))
      return
    }
    if (isFirst) this.#socket.resume()
  }

  write(buffer: Buffer, start = 0, end: number = buffer.length): boolean {
    if (this.#isClosed || this.#socket.destroyed) return true
    if (end > start) this.#socket.write(Buffer.copyBytesFrom(buffer, start, end - start))
    if (this.#socket.writableLength > HIGH_WATER_BYTES) this.#isFull = true
    return !this.#isFull
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.#socket.destroy()
  }
}

/**
 * What is known once a handshake is over.
 * @param peer its certificate where it was asked for before: Node gives it out once, and the next of the chain after that
 */
export function tlsSessionOf(socket: TLSSocket, peer: X509Certificate | undefined = socket.getPeerX509Certificate()): TlsSession {
  const { alpnProtocol } = socket
  const serverName = (socket as { readonly servername?: string | false }).servername
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.name ?? '',
    ...(alpnProtocol ? { alpn: alpnProtocol } : {}),
    ...(serverName ? { serverName } : {}),
    ...(peer ? { peer } : {}),
  }
}

function plain(address: string | undefined): string {
  return address?.startsWith('::ffff:') ? address.slice('::ffff:'.length) : (address ?? '')
}
