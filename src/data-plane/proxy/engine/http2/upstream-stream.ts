import { createHash } from 'node:crypto'
import type { Headers, RequestHead, ResponseHead } from '../../contract.ts'
import type { UpstreamEvents, UpstreamRequest, UpstreamStream } from '../contract.ts'
import { Http2Headers, encodedBytes, writeHeaders } from './http2-headers.ts'
import { ErrorCode, FieldBlock, type Http2Session, type Http2Stream, type StreamReset, fieldName, writeField } from './protocol.ts'
import { StreamAdapter } from './stream-adapter.ts'

const METHOD = fieldName(':method')
const SCHEME = fieldName(':scheme')
const AUTHORITY = fieldName(':authority')
const PATH = fieldName(':path')
const PROTOCOL = fieldName(':protocol')

/** Head of a response that came over HTTP/2. */
class Http2ResponseHead implements ResponseHead {
  status: number
  readonly headers: Http2Headers
  readonly endsWithHead: boolean

  constructor(status: number, headers: Http2Headers, ended: boolean) {
    this.status = status
    this.headers = headers
    this.endsWithHead = ended
  }
}

/** One request over an upstream's HTTP/2 connection. */
export class Http2UpstreamStream extends StreamAdapter implements UpstreamStream {
  readonly #events: UpstreamEvents
  readonly #onOver: () => void
  /** What a client of HTTP/1.1 has asked to switch to. */
  readonly #upgrade: Upgrade | undefined
  #isOver = false

  /** Writes the head; `onOver` is called once when the stream has ended, however. */
  constructor(session: Http2Session, request: UpstreamRequest, events: UpstreamEvents, onOver: () => void) {
    super(session)
    this.#events = events
    this.#onOver = onOver
    const stream = session.open()
    stream.handler = this
    this.stream = stream
    const { head } = request
    if (head.upgrade !== undefined && request.downstreamProtocol === 'http1')
      this.#upgrade = { token: head.upgrade, key: head.headers.get('sec-websocket-key') }
    stream.hasNoBody = head.method === 'HEAD'
    const output = session.sender.beginHeaders(stream, headBytes(head))
    const end = writeRequestHead(output.bytes, output.length, head)
    session.sender.endHeaders(stream, end, !request.hasBody && head.upgrade === undefined)
  }

  cancel(): void {
    if (this.#isOver) return
    this.#over()
    this.session.reset(this.stream as Http2Stream, ErrorCode.cancel)
    this.discard()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onOver()
  }

  onHead(_stream: Http2Stream, block: FieldBlock, status: number, ended: boolean): void {
    if (this.#isOver) return
    const { firstRegular } = this.session.shape
    this.session.block = new FieldBlock()
    const headers = new Http2Headers(block, firstRegular)
    if (status < 200) return this.#events.onInformational(status, headers)
    if (ended) this.#over()
    const head = new Http2ResponseHead(status, headers, ended)
    if (this.#upgrade !== undefined && status === 200) switchProtocols(head, this.#upgrade)
    this.#events.onHead(head, ended)
    if (ended) this.#stopRequest()
  }

  onReset(_stream: Http2Stream, reset: StreamReset): void {
    if (this.#isOver) return
    this.#over()
    this.discard()
    const { code, message, unprocessed, isConnection, isLocal } = reset
    const isRefused = code === ErrorCode.refusedStream && !isLocal
    const kind = isConnection ? 'closed' : isLocal ? 'protocol' : isRefused || unprocessed ? 'refusedStream' : 'reset'
    this.#events.onFailure({ kind, message, unprocessed: unprocessed || isRefused })
  }

  protected deliver(bytes: Buffer, start: number, end: number): void {
    if (!this.#isOver) this.#events.onData(bytes, start, end)
  }

  protected deliverEnd(trailers?: Headers): void {
    if (this.#isOver) return
    this.#over()
    this.#events.onEnd(trailers)
    this.#stopRequest()
  }

  /** The response is whole: nobody reads the rest of the request. */
  #stopRequest(): void {
    const stream = this.stream as Http2Stream
    if (!stream.localEnded) this.session.reset(stream, ErrorCode.cancel)
  }

  protected drained(): void {
    if (!this.#isOver) this.#events.onDrain()
  }
}

interface Upgrade {
  readonly token: string
  readonly key: string | undefined
}

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** A tunnel that HTTP/2 opens with 200 is opened with 101 in HTTP/1.1. Source: RFC 8441 section 5, RFC 6455 section 4.2.2. */
function switchProtocols(head: Http2ResponseHead, { token, key }: Upgrade): void {
  head.status = 101
  head.headers.set('upgrade', token)
  if (token !== 'websocket' || key === undefined || head.headers.has('sec-websocket-accept')) return
  head.headers.set('sec-websocket-accept', createHash('sha1').update(`${key}${WEBSOCKET_GUID}`).digest('base64'))
}

function headBytes(head: RequestHead): number {
  return (
    encodedBytes(head.headers) +
    head.method.length +
    head.path.length +
    head.authority.length +
    head.scheme.length +
    64 +
    (head.upgrade?.length ?? 0)
  )
}

function writeRequestHead(target: Buffer, at: number, head: RequestHead): number {
  const { upgrade } = head
  at = writeField(target, at, METHOD, upgrade === undefined ? head.method : 'CONNECT')
  if (head.method !== 'CONNECT' || upgrade !== undefined) {
    at = writeField(target, at, SCHEME, head.scheme || 'http')
    at = writeField(target, at, PATH, head.path)
  }
  at = writeField(target, at, AUTHORITY, head.authority)
  if (upgrade !== undefined) at = writeField(target, at, PROTOCOL, upgrade)
  return writeHeaders(target, at, head.headers)
}
