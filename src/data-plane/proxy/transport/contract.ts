import type { X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { SocketAddress } from '../../../policy/traffic/model/index.ts'

/** Who is told what happens on a connection. Calls come one after another, never from within a call of Connection. */
export interface ConnectionHandler {
  /** Bytes from `start` to `end` have come. They are valid during the call alone, and not to be changed: the buffer is used again, or is being written elsewhere. */
  onData(buffer: Buffer, start: number, end: number): void
  /** The peer sends no more; this side still may. */
  onEnd(): void
  /** What was written is with the kernel again: more may be written. Only after `write` said false. */
  onDrain(): void
  /** The connection is gone. Always the last call, exactly once. */
  onClose(error?: Error): void
}

/** A stream of bytes in both directions: TCP, a unix socket, or TLS over one. */
export interface Connection {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** Of the socket underneath; -1 where the platform does not tell. */
  readonly fd: number
  /** Once a handshake is over. */
  readonly tls?: TlsSession
  /** Takes over; nothing is read before the first call. */
  handle(handler: ConnectionHandler): void
  /** The bytes are the caller's again: what cannot go out at once is copied, or kept where it was read. @returns false: wait for onDrain before more is written */
  write(buffer: Buffer, start?: number, end?: number): boolean
  /** Bytes that wait to go out. */
  readonly pendingBytes: number
  pause(): void
  resume(): void
  /** Sends what waits, then says that no more will come. */
  end(): void
  /** At once, what waits is lost. */
  destroy(error?: Error): void
}

export interface TlsSession {
  readonly version: string
  readonly cipher: string
  readonly alpn?: string
  /** What the client asked for. */
  readonly serverName?: string
  /** Verified up to a root of the context; undefined where none was shown. */
  readonly peer?: X509Certificate
}

/** How TLS ends here. */
export interface ServerTlsOptions {
  readonly context: SecureContext
  /** In the order of preference. */
  readonly alpn: readonly string[]
  /** `require`: a handshake without a verified certificate fails. */
  readonly clientCertificate: 'none' | 'require'
  readonly handshakeTimeoutMs: number
}

/** What a client says first in TLS. */
export interface ClientHello {
  readonly serverName?: string
  readonly alpn: readonly string[]
}
