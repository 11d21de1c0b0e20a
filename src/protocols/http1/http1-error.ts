export type Http1ErrorCode =
  | 'BadStartLine'
  | 'BadTarget'
  | 'BadVersion'
  | 'BadField'
  | 'BadHost'
  | 'BadLength'
  | 'BadTransferCoding'
  | 'BadConnection'
  | 'BadChunk'
  | 'HeadTooLarge'
  | 'TooManyFields'

/** Bytes that are not a message of HTTP/1.1 as RFC 9112 wants it. A server answers 400 (431 for what is too large) and closes. */
export class Http1Error extends Error {
  override readonly name = 'Http1Error'
  readonly code: Http1ErrorCode

  constructor(code: Http1ErrorCode, message: string) {
    super(message)
    this.code = code
  }

  get status(): 400 | 431 | 505 {
    if (this.code === 'HeadTooLarge' || this.code === 'TooManyFields') return 431
    return this.code === 'BadVersion' ? 505 : 400
  }
}
