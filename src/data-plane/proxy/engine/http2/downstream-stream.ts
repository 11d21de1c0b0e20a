import type { Headers, RequestHead, ResponseHead } from '../../contract.ts'
import type { DownstreamEvents, DownstreamStream } from '../contract.ts'
import { Http2Headers, encodedBytes, writeHeaders } from './http2-headers.ts'
import { ErrorCode, type FieldBlock, type Http2Session, type Http2Stream, type StreamReset, fieldName, writeField } from './protocol.ts'
import { StreamAdapter } from './stream-adapter.ts'

const STATUS = fieldName(':status')
const RESET_CODES = {
  cancel: ErrorCode.cancel,
  internal: ErrorCode.internalError,
  refused: ErrorCode.refusedStream,
  timeout: ErrorCode.cancel,
} as const

/** Head of a request that came over HTTP/2. */
export class Http2RequestHead implements RequestHead {
  method: string
  path: string
  authority: string
  scheme: string
  readonly headers: Http2Headers
  readonly isGrpc: boolean
  readonly upgrade?: string
  readonly endsWithHead: boolean

  /** Of a block that was checked; `session.shape` belongs to it. */
  constructor(session: Http2Session, block: FieldBlock, ended: boolean) {
    const { shape } = session
    this.method = block.value(shape.method)
    this.path = shape.path < 0 ? '' : block.value(shape.path)
    this.scheme = shape.scheme < 0 ? '' : block.value(shape.scheme)
    this.headers = new Http2Headers(block, shape.firstRegular)
    this.authority = shape.authority < 0 ? (this.headers.get('host') ?? '') : block.value(shape.authority)
    this.isGrpc = this.headers.get('content-type')?.startsWith('application/grpc') === true
    this.endsWithHead = ended
    if (shape.protocol >= 0) this.upgrade = block.value(shape.protocol)
  }
}

/** The client's side of one exchange over HTTP/2. */
export class Http2DownstreamStream extends StreamAdapter implements DownstreamStream {
  /** Set by the caller before anything else can come. */
  events: DownstreamEvents | undefined = undefined
  readonly #isUpgrade: boolean

  constructor(session: Http2Session, stream: Http2Stream, isUpgrade: boolean) {
    super(session)
    this.stream = stream
    this.#isUpgrade = isUpgrade
  }

  sendInformational(status: number, headers: Headers): void {
    this.#head(status, headers, false)
  }

  sendHead(head: ResponseHead, end: boolean): void {
    // A tunnel that HTTP/1.1 opened with 101 is opened with 200 here (RFC 8441 5).
    this.#head(head.status === 101 && this.#isUpgrade ? 200 : head.status, head.headers, end)
  }

  #head(status: number, headers: Headers, end: boolean): void {
    const stream = this.stream as Http2Stream
    if (stream.isClosed || stream.localEnded) return
    const output = this.session.sender.beginHeaders(stream, encodedBytes(headers) + 24)
    const at = writeField(output.bytes, output.length, STATUS, String(status))
    this.session.sender.endHeaders(stream, writeHeaders(output.bytes, at, headers), end)
    if (end) this.#stopRequest()
  }

  override end(trailers?: Headers): void {
    super.end(trailers)
    this.#stopRequest()
  }

  override onProgress(stream: Http2Stream): void {
    super.onProgress(stream)
    this.#stopRequest()
  }

  /** The response is whole before the request: the client need not send the rest. Source: RFC 9113 8.1. */
  #stopRequest(): void {
    const stream = this.stream as Http2Stream
    if (stream.localEnded && !stream.remoteEnded && !this.#isUpgrade) this.session.reset(stream, ErrorCode.noError)
  }

  reset(reason: 'cancel' | 'internal' | 'refused' | 'timeout'): void {
    this.session.reset(this.stream as Http2Stream, RESET_CODES[reason])
    this.discard()
  }

  onHead(): void {
    // Only responses have heads of their own.
  }

  onReset(_stream: Http2Stream, reset: StreamReset): void {
    this.discard()
    this.events?.onReset(reset.isLocal && !reset.isConnection ? 'protocol' : 'gone')
  }

  protected deliver(bytes: Buffer, start: number, end: number): void {
    this.events?.onData(bytes, start, end)
  }

  protected deliverEnd(trailers?: Headers): void {
    if (trailers !== undefined) this.events?.onTrailers(trailers)
    this.events?.onEnd()
  }

  protected drained(): void {
    this.events?.onDrain()
  }
}
