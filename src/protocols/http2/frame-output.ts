const CHUNK_BYTES = 65_536
const CHUNKS_KEPT = 64
const EMPTY: Buffer = Buffer.alloc(0)

/** Chunks that nobody uses, for all connections: connections without anything to send have none. */
const spare: Buffer[] = []

/**
 * Frames on their way out: appended during a turn of the event loop, taken and written all at once at its end. Whoever takes a chunk gives it back after the write.
 */
export class FrameOutput {
  bytes: Buffer = EMPTY
  /** End of what is in `bytes`. */
  length = 0
  /** Chunks that are full, with their lengths in front of `bytes`. */
  #full: Buffer[] = []
  /** Bytes appended whose write has not ended. */
  unsentBytes = 0
  readonly #onFirst: () => void
  #isAnnounced = false

  /** `onFirst` is called when there is something to take, once until it was taken. */
  constructor(onFirst: () => void) {
    this.#onFirst = onFirst
  }

  /** Room for `count` bytes in one piece at `length`; a chunk of its own if they are many. */
  reserve(count: number): void {
    if (this.length + count > this.bytes.length) {
      if (this.length > 0) this.#full.push(this.bytes.subarray(0, this.length))
      this.bytes = count > CHUNK_BYTES ? Buffer.allocUnsafeSlow(count) : (spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES))
      this.length = 0
    }
    if (!this.#isAnnounced) {
      this.#isAnnounced = true
      this.#onFirst()
    }
  }

  /** A frame header; `payload` bytes can be written after it. */
  header(payload: number, type: number, flags: number, streamId: number): void {
    this.reserve(payload + 9)
    const { bytes } = this
    let p = this.length
    bytes[p++] = payload >> 16
    bytes[p++] = payload >> 8
    bytes[p++] = payload
    bytes[p++] = type
    bytes[p++] = flags
    bytes[p++] = streamId >> 24
    bytes[p++] = streamId >> 16
    bytes[p++] = streamId >> 8
    bytes[p++] = streamId
    this.unsentBytes += p - this.length
    this.length = p
  }

  /** Four bytes of a payload. */
  uint32(value: number): void {
    const { bytes } = this
    let p = this.length
    bytes[p++] = value >> 24
    bytes[p++] = value >> 16
    bytes[p++] = value >> 8
    bytes[p++] = value
    this.unsentBytes += 4
    this.length = p
  }

  /** Bytes of a payload. */
  copy(source: Buffer, start: number, end: number): void {
    if (end - start > 64) source.copy(this.bytes, this.length, start, end)
    else for (let i = start, p = this.length; i < end; i++) this.bytes[p++] = source[i] as number
    this.unsentBytes += end - start
    this.length += end - start
  }

  /** What was written into `bytes` up to `end` without the methods above. */
  advance(end: number): void {
    this.unsentBytes += end - this.length
    this.length = end
  }

  /** Everything appended so far, in order; `release` each when it is written. */
  take(): readonly Buffer[] {
    this.#isAnnounced = false
    if (this.length === 0) return this.#full.splice(0)
    const last = this.bytes.subarray(0, this.length)
    this.bytes = EMPTY
    this.length = 0
    if (this.#full.length === 0) return [last]
    const all = [...this.#full, last]
    this.#full = []
    return all
  }

  /** The write of a taken chunk has ended. */
  release(chunk: Buffer): void {
    this.unsentBytes -= chunk.length
    const { buffer } = chunk
    if (buffer.byteLength === CHUNK_BYTES && spare.length < CHUNKS_KEPT) spare.push(Buffer.from(buffer, 0, CHUNK_BYTES))
  }
}
