import { DEFAULT_WINDOW, Flag, FrameType, MAX_FRAME_BYTES } from './constants.ts'
import type { FrameOutput } from './frame-output.ts'
import type { Http2Stream } from './stream.ts'

/** DATA waits in its stream while more than this waits for the peer to read. */
const CONGESTED_BYTES = 262_144
/** A stream's turn, where several wait for the connection's window. */
const QUANTUM_BYTES = MAX_FRAME_BYTES

/** Writes what has flow control: DATA, and HEADERS in their order with it. Queues are bounded by what callers take in; see `Http2Session.consume`. */
export class SendSide {
  readonly #output: FrameOutput
  readonly #onEnd: (stream: Http2Stream) => void
  /** Of the connection. */
  window: number = DEFAULT_WINDOW
  /** Of new streams, as the peer set it. */
  initialWindow: number = DEFAULT_WINDOW
  maxFrameBytes: number = MAX_FRAME_BYTES
  /** DATA frames written, ever. */
  dataFrames = 0
  /** Streams with something queued, in the order of their turns. */
  readonly #waiting = new Set<Http2Stream>()
  #headersAt = 0

  constructor(output: FrameOutput, onEnd: (stream: Http2Stream) => void) {
    this.#output = output
    this.#onEnd = onEnd
  }

  /** Streams that wait for a window or for the peer to read. */
  get waitingStreams(): number {
    return this.#waiting.size
  }

  /** Starts HEADERS of at most `maxBytes`: the caller writes the block to `output.bytes` from `output.length` on, then calls {@link endHeaders}. */
  beginHeaders(stream: Http2Stream, maxBytes: number): FrameOutput {
    const output = this.#output
    // Room for the headers of CONTINUATION frames that it may have to be cut into.
    output.reserve(9 + maxBytes + Math.ceil(maxBytes / MAX_FRAME_BYTES) * 9)
    this.#headersAt = output.length
    output.header(0, FrameType.headers, Flag.endHeaders, stream.id)
    return output
  }

  /** The block ends at `end`. */
  endHeaders(stream: Http2Stream, end: number, ends: boolean): void {
    const output = this.#output
    const { bytes } = output
    const at = this.#headersAt
    const length = end - output.length
    const first = Math.min(length, this.maxFrameBytes)
    bytes[at] = first >> 16
    bytes[at + 1] = first >> 8
    bytes[at + 2] = first
    bytes[at + 4] = (first === length ? Flag.endHeaders : 0) | (ends ? Flag.endStream : 0)
    if (first === length) output.advance(end)
    else this.#continue(stream, end, first)
    if (ends) this.#end(stream)
  }

  #continue(stream: Http2Stream, end: number, first: number): void {
    const output = this.#output
    const rest = Buffer.from(output.bytes.subarray(output.length + first, end))
    output.advance(output.length + first)
    for (let at = 0; at < rest.length; at += this.maxFrameBytes) {
      const stop = Math.min(rest.length, at + this.maxFrameBytes)
      output.header(stop - at, FrameType.continuation, stop === rest.length ? Flag.endHeaders : 0, stream.id)
      output.copy(rest, at, stop)
    }
  }

  /** Trailers, after everything that is queued. The stream ends. */
  trailers(stream: Http2Stream, block: Buffer, length: number): void {
    if (stream.localEnded || stream.endsAfterQueue) return
    if (stream.queuedBytes > 0) {
      stream.queuedTrailers = Buffer.from(block.subarray(0, length))
      stream.endsAfterQueue = true
      return
    }
    const output = this.beginHeaders(stream, length)
    block.copy(output.bytes, output.length, 0, length)
    this.endHeaders(stream, output.length + length, true)
  }

  /** DATA: what the windows allow goes out, the rest is copied to the stream's queue. */
  data(stream: Http2Stream, bytes: Buffer, start: number, end: number, ends: boolean): void {
    if (stream.localEnded || stream.endsAfterQueue || stream.isClosed) return
    if (stream.queuedBytes === 0) start = this.#write(stream, bytes, start, end, ends, Infinity)
    if (start < end) {
      stream.queue.push(Buffer.from(bytes.subarray(start, end)))
      stream.queuedBytes += end - start
      stream.endsAfterQueue = ends
      this.#waiting.add(stream)
    } else if (ends && stream.queuedBytes > 0) stream.endsAfterQueue = true
    else if (ends && !stream.localEnded) this.#finish(stream)
  }

  #finish(stream: Http2Stream): void {
    this.#output.header(0, FrameType.data, Flag.endStream, stream.id)
    this.#end(stream)
  }

  /** Writes as much as windows allow, returns how far it came; sets END_STREAM on the last frame. */
  #write(stream: Http2Stream, bytes: Buffer, start: number, end: number, ends: boolean, most: number): number {
    const output = this.#output
    while (start < end && most > 0) {
      if (output.unsentBytes > CONGESTED_BYTES) return start
      const count = Math.min(end - start, this.window, stream.sendWindow, this.maxFrameBytes, most)
      if (count <= 0) return start
      const isLast = ends && start + count === end
      output.header(count, FrameType.data, isLast ? Flag.endStream : 0, stream.id)
      output.copy(bytes, start, start + count)
      this.dataFrames++
      this.window -= count
      stream.sendWindow -= count
      most -= count
      start += count
      if (isLast) this.#end(stream)
    }
    return start
  }

  /** A window has opened or the peer has read: streams that wait take turns. */
  resume(): void {
    for (const stream of this.#waiting) {
      const before = stream.queuedBytes
      if (before > 0 && stream.sendWindow > 0) this.#turn(stream)
      if (stream.queuedBytes === before) continue
      this.#waiting.delete(stream)
      // At the end of the line; this very loop comes by again.
      if (stream.queuedBytes > 0) this.#waiting.add(stream)
      stream.handler?.onProgress(stream)
    }
  }

  #turn(stream: Http2Stream): void {
    let most = QUANTUM_BYTES
    while (stream.queue.length > 0 && most > 0) {
      const chunk = stream.queue[0] as Buffer
      const ends = stream.endsAfterQueue && stream.queue.length === 1 && stream.queuedTrailers === undefined
      const sent = this.#write(stream, chunk, 0, chunk.length, ends, most)
      stream.queuedBytes -= sent
      most -= sent
      if (sent < chunk.length) {
        stream.queue[0] = chunk.subarray(sent)
        return
      }
      stream.queue.shift()
    }
    if (stream.queuedBytes === 0 && stream.queuedTrailers !== undefined) {
      const block = stream.queuedTrailers
      stream.queuedTrailers = undefined
      stream.endsAfterQueue = false
      this.trailers(stream, block, block.length)
    }
  }

  #end(stream: Http2Stream): void {
    stream.localEnded = true
    this.#onEnd(stream)
  }

  /** Nothing more of this stream goes out. */
  forget(stream: Http2Stream): void {
    this.#waiting.delete(stream)
    stream.queue.length = 0
    stream.queuedBytes = 0
    stream.endsAfterQueue = false
    stream.queuedTrailers = undefined
  }
}
