import type { Headers } from '../../contract.ts'
import { encodeHeaders, Http2Headers } from './http2-headers.ts'
import { FieldBlock, type Http2Session, type Http2Stream, type StreamHandler, type StreamReset } from './protocol.ts'

/** `write` says false above this, */
const HIGH_BYTES = 65_536
/** and `onDrain` follows below this. */
const LOW_BYTES = 16_384

/**
 * What both sides of the engine have in common over an HTTP/2 stream: bodies with back-pressure. Out: what windows do not allow waits in the stream, and `write`
 * says so. In: bytes are given back to the peer's window once they were handed on; while paused they are kept, at most a window of them.
 */
export abstract class StreamAdapter implements StreamHandler {
  protected readonly session: Http2Session
  /** Set once the stream is open. */
  protected stream: Http2Stream | undefined
  #isPaused = false
  #held: Buffer[] | undefined
  #heldEnd: { readonly trailers?: Headers } | undefined
  #wantsDrain = false

  constructor(session: Http2Session) {
    this.session = session
  }

  /** A piece of the body has come. */
  protected abstract deliver(bytes: Buffer, start: number, end: number): void
  /** The message is whole. */
  protected abstract deliverEnd(trailers?: Headers): void
  /** More can be written. */
  protected abstract drained(): void
  abstract onHead(stream: Http2Stream, block: FieldBlock, status: number, ended: boolean): void
  abstract onReset(stream: Http2Stream, reset: StreamReset): void

  /** Sends a piece of the body. */
  write(buffer: Buffer, start: number, end: number): boolean {
    const { stream } = this
    if (stream === undefined || stream.isClosed) return true
    this.session.sender.data(stream, buffer, start, end, false)
    if (stream.queuedBytes <= HIGH_BYTES) return true
    this.#wantsDrain = true
    return false
  }

  /** Ends the message. */
  end(trailers?: Headers): void {
    const { stream } = this
    if (stream === undefined || stream.isClosed || stream.localEnded) return
    const block = trailers === undefined ? undefined : encodeHeaders(trailers)
    if (block === undefined || block.length === 0) this.session.sender.data(stream, EMPTY, 0, 0, true)
    else this.session.sender.trailers(stream, block, block.length)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const held = this.#held
    this.#held = undefined
    for (const [i, chunk] of (held ?? []).entries()) {
      if (this.#isPaused) {
        this.#held = held?.slice(i)
        return
      }
      this.#handOn(chunk, 0, chunk.length)
    }
    if (this.#isPaused) return
    const ended = this.#heldEnd
    this.#heldEnd = undefined
    if (ended !== undefined) this.deliverEnd(ended.trailers)
  }

  #handOn(bytes: Buffer, start: number, end: number): void {
    this.deliver(bytes, start, end)
    if (this.stream !== undefined) this.session.consume(this.stream, end - start)
  }

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (end > start) {
      if (!this.#isPaused) this.#handOn(bytes, start, end)
      else (this.#held ??= []).push(Buffer.from(bytes.subarray(start, end)))
    }
    if (!ended) return
    if (this.#held !== undefined || (this.#isPaused && end > start)) this.#heldEnd = {}
    else this.deliverEnd()
  }

  onTrailers(_stream: Http2Stream, block: FieldBlock): void {
    this.session.block = new FieldBlock()
    const trailers = new Http2Headers(block, 0)
    if (this.#held === undefined) this.deliverEnd(trailers)
    else this.#heldEnd = { trailers }
  }

  onProgress(stream: Http2Stream): void {
    if (!this.#wantsDrain || stream.queuedBytes > LOW_BYTES) return
    this.#wantsDrain = false
    this.drained()
  }

  /** Bytes held back are of no use any more: the window gets them back. */
  protected discard(): void {
    const held = this.#held
    this.#held = undefined
    this.#heldEnd = undefined
    if (held === undefined || this.stream === undefined) return
    this.session.consume(
      this.stream,
      held.reduce((sum, chunk) => sum + chunk.length, 0),
    )
  }
}

const EMPTY = Buffer.alloc(0)
