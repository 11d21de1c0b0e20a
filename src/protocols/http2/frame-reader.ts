import { ErrorCode, Flag, FrameType, MAX_FRAME_BYTES } from './constants.ts'

/** What a reader finds; bytes are valid during the call alone. */
export interface FrameSink {
  onData(id: number, bytes: Buffer, start: number, end: number, ended: boolean, flowBytes: number): void
  onHeaders(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void
  onResetStream(id: number, code: number): void
  onSettings(bytes: Buffer, start: number, end: number): void
  onSettingsAck(): void
  onPing(bytes: Buffer, start: number, isAck: boolean): void
  onGoAway(lastId: number, code: number, debug: string): void
  onWindowUpdate(id: number, more: number): void
  onIgnored(): void
  /** The peer broke the rules of framing: a connection error. */
  onFault(code: number, message: string): void
  readonly isEnded: boolean
}

/** Frames a header block may be cut into beyond the first. */
const MAX_CONTINUATIONS = 16
const HEADER_BYTES = 9
const SPARES_KEPT = 16

/** Buffers for frames that were cut, which no reader uses: only connections in the middle of a frame have one. */
const spare: Buffer[] = []

/**
 * Cuts a connection's bytes into frames and checks their form (sizes, streams, padding, continuations). Bytes are looked at where they lie; only a frame that was
 * cut by the end of a read is copied together, and a header block that was cut by CONTINUATION. Source: RFC 9113 4 to 6.
 */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #maxBlockBytes: number
  #preface: Buffer | undefined
  #prefaceAt = 0
  /** The start of a frame whose rest has not come. */
  #held: Buffer | undefined
  #heldBytes = 0
  #isFirst = true
  /** Stream whose header block goes on, 0: none. */
  #blockId = 0
  #blockEnds = false
  #block: Buffer | undefined
  #blockBytes = 0
  #continuations = 0

  /** `preface`: what the connection has to begin with. Header blocks may have at most `maxBlockBytes` as they come. */
  constructor(sink: FrameSink, preface: Buffer | undefined, maxBlockBytes: number) {
    this.#sink = sink
    this.#preface = preface
    this.#maxBlockBytes = maxBlockBytes
  }

  /** Takes more bytes. */
  receive(bytes: Buffer, start: number, end: number): void {
    if (this.#preface !== undefined) {
      start = this.#checkPreface(this.#preface, bytes, start, end)
      if (start < 0) return
    }
    if (this.#held !== undefined) {
      start = this.#complete(this.#held, bytes, start, end)
      if (start < 0) return
    }
    while (end - start >= HEADER_BYTES) {
      const length = ((bytes[start] as number) << 16) | ((bytes[start + 1] as number) << 8) | (bytes[start + 2] as number)
      if (length > MAX_FRAME_BYTES)
        return this.#sink.onFault(ErrorCode.frameSizeError, `a frame has ${length} bytes, ${MAX_FRAME_BYTES} are allowed`)
      const next = start + HEADER_BYTES + length
      if (next > end) break
      this.#frame(bytes, start, length)
      if (this.#sink.isEnded) return
      start = next
    }
    if (start === end) return
    this.#held = spare.pop() ?? Buffer.allocUnsafeSlow(HEADER_BYTES + MAX_FRAME_BYTES)
    this.#heldBytes = bytes.copy(this.#held, 0, start, end)
  }

  #checkPreface(preface: Buffer, bytes: Buffer, start: number, end: number): number {
    const count = Math.min(end - start, preface.length - this.#prefaceAt)
    if (bytes.compare(preface, this.#prefaceAt, this.#prefaceAt + count, start, start + count) !== 0) {
      this.#sink.onFault(ErrorCode.protocolError, 'the connection does not begin as HTTP/2')
      return -1
    }
    this.#prefaceAt += count
    if (this.#prefaceAt < preface.length) return -1
    this.#preface = undefined
    return start + count
  }

  /** Fills up the frame that was cut; -1: there is nothing more to read. */
  #complete(held: Buffer, bytes: Buffer, start: number, end: number): number {
    if (this.#heldBytes < HEADER_BYTES) {
      const copied = bytes.copy(held, this.#heldBytes, start, Math.min(end, start + HEADER_BYTES - this.#heldBytes))
      this.#heldBytes += copied
      start += copied
      if (this.#heldBytes < HEADER_BYTES) return -1
    }
    const length = held.readUIntBE(0, 3)
    if (length > MAX_FRAME_BYTES) {
      this.#sink.onFault(ErrorCode.frameSizeError, `a frame has ${length} bytes, ${MAX_FRAME_BYTES} are allowed`)
      return -1
    }
    const copied = bytes.copy(held, this.#heldBytes, start, Math.min(end, start + HEADER_BYTES + length - this.#heldBytes))
    this.#heldBytes += copied
    if (this.#heldBytes < HEADER_BYTES + length) return -1
    this.#held = undefined
    this.#heldBytes = 0
    this.#frame(held, 0, length)
    if (spare.length < SPARES_KEPT) spare.push(held)
    return this.#sink.isEnded ? -1 : start + copied
  }

  #frame(bytes: Buffer, at: number, length: number): void {
    const type = bytes[at + 3] as number
    const flags = bytes[at + 4] as number
    const id =
      (((bytes[at + 5] as number) & 127) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number)
    const start = at + HEADER_BYTES
    const sink = this.#sink
    if (this.#blockId !== 0 && (type !== FrameType.continuation || id !== this.#blockId)) {
      return sink.onFault(ErrorCode.protocolError, 'a header block is interrupted by another frame')
    }
    if (this.#isFirst) {
      this.#isFirst = false
      if (type !== FrameType.settings || flags & Flag.ack) return sink.onFault(ErrorCode.protocolError, 'the first frame is not SETTINGS')
    }
    switch (type) {
      case FrameType.data:
        return this.#data(bytes, start, length, flags, id)
      case FrameType.headers:
        return this.#headers(bytes, start, length, flags, id)
      case FrameType.continuation:
        return this.#continuation(bytes, start, length, flags, id)
      case FrameType.windowUpdate:
        if (length !== 4) return sink.onFault(ErrorCode.frameSizeError, 'WINDOW_UPDATE has not 4 bytes')
        return sink.onWindowUpdate(id, bytes.readUInt32BE(start) & 0x7fff_ffff)
      case FrameType.resetStream:
        if (id === 0) return sink.onFault(ErrorCode.protocolError, 'RST_STREAM on stream 0')
        if (length !== 4) return sink.onFault(ErrorCode.frameSizeError, 'RST_STREAM has not 4 bytes')
        return sink.onResetStream(id, bytes.readUInt32BE(start))
      case FrameType.priority:
        if (id === 0) return sink.onFault(ErrorCode.protocolError, 'PRIORITY on stream 0')
        if (length !== 5) return sink.onFault(ErrorCode.frameSizeError, 'PRIORITY has not 5 bytes')
        return sink.onIgnored()
      case FrameType.settings:
      case FrameType.ping:
      case FrameType.goAway:
        return this.#connectionFrame(type, bytes, start, length, flags, id)
      case FrameType.pushPromise:
        return sink.onFault(ErrorCode.protocolError, 'PUSH_PROMISE, which was not allowed')
      default:
        return sink.onIgnored()
    }
  }

  #connectionFrame(type: number, bytes: Buffer, start: number, length: number, flags: number, id: number): void {
    const sink = this.#sink
    if (id !== 0) return sink.onFault(ErrorCode.protocolError, `a frame of the connection on stream ${id}`)
    if (type === FrameType.ping) {
      if (length !== 8) return sink.onFault(ErrorCode.frameSizeError, 'PING has not 8 bytes')
      return sink.onPing(bytes, start, (flags & Flag.ack) !== 0)
    }
    if (type === FrameType.goAway) {
      if (length < 8) return sink.onFault(ErrorCode.frameSizeError, 'GOAWAY has fewer than 8 bytes')
      const debug = bytes.toString('latin1', start + 8, start + Math.min(length, 208))
      return sink.onGoAway(bytes.readUInt32BE(start) & 0x7fff_ffff, bytes.readUInt32BE(start + 4), debug)
    }
    if (flags & Flag.ack) {
      if (length !== 0) return sink.onFault(ErrorCode.frameSizeError, 'SETTINGS with ACK has a payload')
      return sink.onSettingsAck()
    }
    if (length % 6 !== 0) return sink.onFault(ErrorCode.frameSizeError, 'SETTINGS has not a multiple of 6 bytes')
    sink.onSettings(bytes, start, start + length)
  }

  #data(bytes: Buffer, start: number, length: number, flags: number, id: number): void {
    if (id === 0) return this.#sink.onFault(ErrorCode.protocolError, 'DATA on stream 0')
    let [from, end] = [start, start + length]
    if (flags & Flag.padded) {
      const padding = length > 0 ? (bytes[from++] as number) : 0
      if (padding >= length) return this.#sink.onFault(ErrorCode.protocolError, 'DATA has more padding than payload')
      end -= padding
    }
    this.#sink.onData(id, bytes, from, end, (flags & Flag.endStream) !== 0, length)
  }

  #headers(bytes: Buffer, start: number, length: number, flags: number, id: number): void {
    if (id === 0) return this.#sink.onFault(ErrorCode.protocolError, 'HEADERS on stream 0')
    let end = start + length
    if (flags & Flag.padded) {
      const padding = length > 0 ? (bytes[start++] as number) : 0
      if (padding >= length) return this.#sink.onFault(ErrorCode.protocolError, 'HEADERS has more padding than payload')
      end -= padding
    }
    if (flags & Flag.priority) start += 5
    if (start > end) return this.#sink.onFault(ErrorCode.frameSizeError, 'HEADERS is too short')
    const ends = (flags & Flag.endStream) !== 0
    if (flags & Flag.endHeaders) return this.#sink.onHeaders(id, bytes, start, end, ends)
    this.#blockId = id
    this.#blockEnds = ends
    this.#continuations = 0
    this.#blockBytes = 0
    this.#append(bytes, start, end)
  }

  #continuation(bytes: Buffer, start: number, length: number, flags: number, id: number): void {
    if (this.#blockId === 0) return this.#sink.onFault(ErrorCode.protocolError, 'CONTINUATION without HEADERS')
    if (++this.#continuations > MAX_CONTINUATIONS || this.#blockBytes + length > this.#maxBlockBytes) {
      return this.#sink.onFault(ErrorCode.enhanceYourCalm, 'a header block goes on for too long')
    }
    this.#append(bytes, start, start + length)
    if (!(flags & Flag.endHeaders)) return
    const block = this.#block as Buffer
    this.#blockId = 0
    this.#block = undefined
    this.#sink.onHeaders(id, block, 0, this.#blockBytes, this.#blockEnds)
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const needed = this.#blockBytes + end - start
    if (this.#block === undefined || this.#block.length < needed) {
      const larger = Buffer.allocUnsafe(Math.max(4096, needed * 2))
      this.#block?.copy(larger, 0, 0, this.#blockBytes)
      this.#block = larger
    }
    this.#blockBytes += bytes.copy(this.#block, this.#blockBytes, start, end)
  }
}
