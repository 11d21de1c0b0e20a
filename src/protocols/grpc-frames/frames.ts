/** Compressed flag and length. */
export const GRPC_HEAD_BYTES = 5

/** Bytes that are no gRPC messages, or larger ones than are taken. */
export class GrpcFrameError extends Error {
  override readonly name = 'GrpcFrameError'
  /** `TooLarge`: RESOURCE_EXHAUSTED; `Compressed`: UNIMPLEMENTED; `Truncated`: INTERNAL. */
  readonly code: 'TooLarge' | 'Compressed' | 'Truncated'
  constructor(code: GrpcFrameError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A message with its head, made of one or more parts. One buffer, so that it goes out in one write. */
export function grpcFrame(...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const frame = Buffer.allocUnsafe(GRPC_HEAD_BYTES + length)
  frame[0] = 0
  frame.writeUInt32BE(length, 1)
  let at = GRPC_HEAD_BYTES
  for (const part of parts) {
    frame.set(part, at)
    at += part.length
  }
  return frame
}

/** Cuts messages out of chunks of any size. Holds at most one unfinished message of `maxBytes`, in at most twice the bytes that have come of it. */
export class GrpcReader {
  readonly #maxBytes: number
  readonly #head: Buffer = Buffer.alloc(GRPC_HEAD_BYTES)
  #headHeld = 0
  /** Of the message that has begun; -1 while its head is not there. */
  #length = -1
  /** What has come of it, with room for more. */
  #body: Buffer = NOTHING
  #held = 0

  /** @param maxBytes of one message; default 4 MiB, gRPC's own */
  constructor(maxBytes: number = 4 * 1024 * 1024) {
    this.#maxBytes = maxBytes
  }

  /** Whole messages so far; their bytes may share memory with `chunk`. @throws {GrpcFrameError} */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = []
    for (let at = 0; ;) {
      if (this.#length < 0) {
        const taken = chunk.copy(this.#head, this.#headHeld, at)
        at += taken
        this.#headHeld += taken
        if (this.#headHeld < GRPC_HEAD_BYTES) return messages
        this.#length = this.#readHead(this.#head)
      }
      const missing = this.#length - this.#held
      const rest = chunk.length - at
      if (rest < missing) {
        if (rest > 0) this.#hold(chunk.subarray(at))
        return messages
      }
      const part = chunk.subarray(at, at + missing)
      at += missing
      messages.push(this.#held === 0 ? part : this.#whole(part))
      this.#length = -1
      this.#headHeld = 0
      this.#held = 0
      this.#body = NOTHING
    }
  }

  /** To be called when no more bytes come. @throws {GrpcFrameError} inside of a message */
  end(): void {
    if (this.#headHeld > 0) throw new GrpcFrameError('Truncated', 'the stream ended inside of a message')
  }

  #readHead(head: Buffer): number {
    if (head[0] !== 0) throw new GrpcFrameError('Compressed', 'compressed messages are not taken: send them with grpc-encoding identity')
    const length = head.readUInt32BE(1)
    if (length > this.#maxBytes) throw new GrpcFrameError('TooLarge', `a message has ${length} bytes, at most ${this.#maxBytes} are taken`)
    return length
  }

  #whole(last: Buffer): Buffer {
    this.#hold(last)
    return this.#body.subarray(0, this.#held)
  }

  // copied: a message of many small chunks would hold a buffer for each
  #hold(part: Buffer): void {
    const needed = this.#held + part.length
    if (needed > this.#body.length) {
      // the length is what a peer says: room is made as bytes come
      const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(2 * needed, 1_024)))
      this.#body.copy(grown, 0, 0, this.#held)
      this.#body = grown
    }
    part.copy(this.#body, this.#held)
    this.#held = needed
  }
}

const NOTHING: Buffer = Buffer.alloc(0)
