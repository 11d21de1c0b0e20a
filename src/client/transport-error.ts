export type TransportErrorCode =
  /** No connection could be made: wrong address, nobody listens, TLS refused. */
  | 'Unreachable'
  /** The connection broke, or the server ended the exchange in the middle. A write may or may not have been done. */
  | 'ConnectionLost'
  /** The server did not begin with this request: it is safe to send it again. */
  | 'Refused'
  /** The answer is not what the protocol allows. */
  | 'BadResponse'
  /** The transport has been closed. */
  | 'Closed'

/** The server could not be reached or did not answer. What it refused is a StatusError instead. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
