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

/** Cuts messages out of chunks of any size. Holds at most one unfinished message of `maxBytes`. */
export class GrpcReader {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #held = 0
  /** Of the message that has begun; -1 while its head is not there. */
  #length = -1

  /** @param maxBytes of one message; default 4 MiB, gRPC's own */
  constructor(maxBytes: number = 4 * 1024 * 1024) {
    this.#maxBytes = maxBytes
  }

  /** Whole messages so far; their bytes may share memory with `chunk`. @throws {GrpcFrameError} */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    const messages: Buffer[] = []
    for (;;) {
      if (this.#length < 0) {
        if (this.#held < GRPC_HEAD_BYTES) return messages
        this.#length = this.#readHead(this.#take(GRPC_HEAD_BYTES))
      }
      if (this.#held < this.#length) return messages
      messages.push(this.#take(this.#length))
      this.#length = -1
    }
  }

  /** To be called when no more bytes come. @throws {GrpcFrameError} inside of a message */
  end(): void {
    if (this.#held > 0 || this.#length >= 0) throw new GrpcFrameError('Truncated', 'the stream ended inside of a message')
  }

  #readHead(head: Buffer): number {
    if (head[0] !== 0) throw new GrpcFrameError('Compressed', 'compressed messages are not taken: send them with grpc-encoding identity')
    const length = head.readUInt32BE(1)
    if (length > this.#maxBytes) throw new GrpcFrameError('TooLarge', `a message has ${length} bytes, at most ${this.#maxBytes} are taken`)
    return length
  }

  #take(length: number): Buffer {
    const first = this.#chunks[0]
    this.#held -= length
    if (first && first.length >= length) {
      if (first.length === length) this.#chunks.shift()
      else this.#chunks[0] = first.subarray(length)
      return first.subarray(0, length)
    }
    const all = Buffer.concat(this.#chunks)
    this.#chunks = all.length > length ? [all.subarray(length)] : []
    return all.subarray(0, length)
  }
}
