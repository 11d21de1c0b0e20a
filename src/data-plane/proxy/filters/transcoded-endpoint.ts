import { GrpcReader, grpcStatusOf } from '../../../protocols/grpc-frames/index.ts'
import { httpStatusOf, statusJson, type AnswerPart, type Schema, type TranscodedCall } from '../../../protocols/grpc-json/index.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Headers, RequestHead, ResponseHead, UpstreamFailure } from '../contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamRequest, UpstreamStream } from '../engine/contract.ts'
import { HeaderList } from '../engine/index.ts'

/** What stands for an endpoint while a request is transcoded: one message goes out, JSON comes back, whatever the exchange says of its own body. */
export class TranscodedEndpoint implements EngineEndpoint {
  readonly #real: EngineEndpoint
  readonly #parts: TranscodedParts
  /** Status of the call, once it is known. */
  grpcStatus: number | undefined

  constructor(real: EngineEndpoint, parts: TranscodedParts) {
    this.#real = real
    this.#parts = parts
  }

  get address(): string {
    return this.#real.address
  }
  get activeRequests(): number {
    return this.#real.activeRequests
  }
  get connections(): number {
    return this.#real.connections
  }
  drain(): void {
    this.#real.drain()
  }
  destroy(): void {
    this.#real.destroy()
  }

  open(_: UpstreamRequest, events: UpstreamEvents): UpstreamStream {
    const stream = new TranscodedStream(this.#parts, events, (status) => (this.grpcStatus = status))
    stream.begin(this.#real)
    return stream
  }
}

export interface TranscodedParts {
  readonly call: TranscodedCall
  readonly schema: Schema
  /** With gRPC's path and headers. */
  readonly head: RequestHead
  /** The request's message in its frame. */
  readonly frame: Buffer
}

/** Bytes written at a time. */
const PIECE = 16_384

/** A call of gRPC whose answer is read as JSON. Lists of a stream's messages begin with the first of them. */
class TranscodedStream implements UpstreamStream, UpstreamEvents {
  readonly #parts: TranscodedParts
  readonly #events: UpstreamEvents
  readonly #onStatus: (status: number) => void
  readonly #reader = new GrpcReader()
  #inner: UpstreamStream | undefined
  #isReady = false
  /** Bytes of the request that have gone; more than there are once it has ended. */
  #sent = 0
  #isOver = false
  /** The upstream's; an answer that is not gRPC goes through as it is. */
  #head: ResponseHead | undefined
  #isPlain = false
  /** The client has been given the head. */
  #isBegun = false
  #isList = false
  /** Of a call with one answer. */
  #answer: AnswerPart | undefined

  constructor(parts: TranscodedParts, events: UpstreamEvents, onStatus: (status: number) => void) {
    this.#parts = parts
    this.#events = events
    this.#onStatus = onStatus
  }

  begin(real: EngineEndpoint): void {
    this.#inner = real.open({ head: this.#parts.head, hasBody: true, downstreamProtocol: 'http2' }, this)
    if (this.#isReady) this.#send()
  }

  // of the exchange: its own body has been read already

  write(): boolean {
    return true
  }
  end(): void {}
  cancel(): void {
    this.#isOver = true
    this.#inner?.cancel()
  }
  pause(): void {
    this.#inner?.pause()
  }
  resume(): void {
    this.#inner?.resume()
  }

  // of the upstream

  onReady(): void {
    this.#isReady = true
    if (this.#inner) this.#send()
    this.#events.onReady()
  }

  onInformational(): void {}

  onDrain(): void {
    this.#send()
  }

  onHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return
    if (head.status !== 200 || head.headers.get('content-type')?.startsWith('application/grpc') !== true) {
      this.#isPlain = true
      this.#events.onHead(head, end)
      return
    }
    this.#head = { status: head.status, headers: HeaderList.copy(head.headers), endsWithHead: end }
    if (end) this.#finish(head.headers)
  }

  onData(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return
    if (this.#isPlain) return this.#events.onData(buffer, start, end)
    let parts: AnswerPart[]
    try {
      // messages may lie in memory that is used again
      const messages = this.#reader.push(Buffer.copyBytesFrom(buffer, start, end - start))
      parts = messages.map((message) => this.#parts.call.decode(message))
    } catch (error) {
      return this.#break(`the upstream's answer cannot be told as JSON: ${messageOf(error)}`)
    }
    for (const part of parts) this.#take(part)
  }

  onEnd(trailers?: Headers): void {
    if (this.#isOver) return
    if (this.#isPlain) return this.#events.onEnd(trailers)
    this.#finish(trailers ?? new HeaderList())
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#events.onFailure(failure)
  }

  #send(): void {
    const { frame } = this.#parts
    while (!this.#isOver && this.#sent < frame.length) {
      const from = this.#sent
      this.#sent = Math.min(from + PIECE, frame.length)
      if (this.#inner?.write(frame, from, this.#sent) === false && this.#sent < frame.length) return
    }
    if (this.#isOver || this.#sent > frame.length) return
    this.#sent = frame.length + 1
    this.#inner?.end()
  }

  #take(part: AnswerPart): void {
    if (this.#isOver) return
    if (!this.#parts.call.serverStreaming) {
      if (this.#answer) return this.#break('the call has two answers instead of one')
      this.#answer = part
      return
    }
    const isFirst = !this.#isBegun
    if (isFirst) {
      this.#isList = !part.isRaw
      this.#begin(200, part.contentType, new HeaderList())
    }
    if (this.#isList) this.#write(Buffer.from(isFirst ? '[' : ','))
    this.#write(part.bytes)
  }

  #finish(trailers: Headers): void {
    const status = grpcStatusOf({ 'grpc-status': trailers.get('grpc-status'), 'grpc-message': trailers.get('grpc-message') })
    if (!status) return this.#break('the call ended without a grpc-status')
    this.#onStatus(status.code)
    if (this.#isBegun) {
      if (status.code !== 0) return this.#break(`the call ended with gRPC status ${status.code}: ${status.message}`)
      if (this.#isList) this.#write(Buffer.from(']'))
      return this.#end()
    }
    if (status.code !== 0) {
      const { schema } = this.#parts
      const details = trailers.get('grpc-status-details-bin')
      const json = statusJson(schema, status.code, status.message, details === undefined ? undefined : Buffer.from(details, 'base64'))
      return this.#whole(httpStatusOf(status.code), 'application/json', Buffer.from(JSON.stringify(json)), trailers)
    }
    if (this.#parts.call.serverStreaming) return this.#whole(200, 'application/json', Buffer.from('[]'), trailers)
    if (!this.#answer) return this.#break('the call ended well, but without a message')
    this.#whole(200, this.#answer.contentType, this.#answer.bytes, trailers)
  }

  #whole(status: number, contentType: string, body: Buffer, trailers: Headers): void {
    this.#begin(status, contentType, trailers, body.length)
    this.#write(body)
    this.#end()
  }

  /** Metadata of the head stays; how the call ended is told where HTTP/1.1 clients look. */
  #begin(status: number, contentType: string, trailers: Headers, length?: number): void {
    this.#isBegun = true
    const headers = HeaderList.copy(this.#head?.headers ?? new HeaderList())
    for (const name of ['content-length', 'trailer', 'grpc-encoding', 'grpc-accept-encoding', 'grpc-status-details-bin'])
      headers.remove(name)
    headers.set('content-type', contentType)
    if (length !== undefined) headers.set('content-length', String(length))
    for (const name of ['grpc-status', 'grpc-message']) {
      const value = trailers.get(name)
      if (value !== undefined) headers.set(name, value)
    }
    this.#events.onHead({ status, headers, endsWithHead: false }, false)
  }

  #write(bytes: Buffer): void {
    if (!this.#isOver && bytes.length > 0) this.#events.onData(bytes, 0, bytes.length)
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#events.onEnd()
  }

  #break(message: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#inner?.cancel()
    this.#events.onFailure({ kind: 'protocol', message, unprocessed: false })
  }
}
