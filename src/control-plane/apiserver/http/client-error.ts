import type { Duplex } from 'node:stream'
import { STATUS_CODES as REASON_PHRASES } from 'node:http'
import { StatusError } from '../../../base/errors.ts'
import { refusalHeaders } from './exchange.ts'
import { BodyTimeout } from './read-body.ts'
import { HeadTooLarge } from './check-request.ts'

/** Answers on a bare HTTP/1.1 socket and closes it. */
export function refuseOnSocket(socket: Duplex, error: StatusError): void {
  if (!socket.writable) return void socket.destroy()
  const text = JSON.stringify(error.toBody())
  const headers = { ...refusalHeaders(error), connection: 'close', 'content-length': String(Buffer.byteLength(text)) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${error.code} ${REASON_PHRASES[error.code] ?? ''}\r\n${lines.join('')}\r\n${text}`)
}

/** Answers what never became a request: bytes that are no HTTP, heads that are too large or too slow. Failed TLS handshakes are just closed. */
export function onClientError(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuseOnSocket(socket, new BodyTimeout())
  if (error.code === 'HPE_HEADER_OVERFLOW') return refuseOnSocket(socket, new HeadTooLarge('the request headers are too large'))
  if (error.code?.startsWith('HPE_')) return refuseOnSocket(socket, new StatusError('BadRequest', 'the request is not valid HTTP/1.1'))
  socket.destroy()
}
