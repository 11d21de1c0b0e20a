const NEWLINE = 10

/**
 * Cuts a byte stream into lines, without their newlines. Each byte is looked at once and copied at most once, however
 * the chunks fall. Lines are views of the chunks where possible: use them before the chunk is reused.
 */
export class LineSplitter {
  readonly #maxLineBytes: number
  #partial: Uint8Array[] = []
  #partialBytes = 0

  /** @param maxLineBytes a longer line is an error. Default 64 MiB */
  constructor(maxLineBytes: number = 64 * 1024 * 1024) {
    this.#maxLineBytes = maxLineBytes
  }

  /** @returns the lines that `chunk` completes. @throws RangeError when a line grows beyond the limit */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.#complete(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  /** Bytes of a line whose end has not come. */
  get partialBytes(): number {
    return this.#partialBytes
  }

  #complete(tail: Buffer): Buffer {
    if (this.#partial.length === 0) return tail
    this.#partial.push(tail)
    const line = Buffer.concat(this.#partial, this.#partialBytes + tail.length)
    this.#partial = []
    this.#partialBytes = 0
    return line
  }

  #keep(tail: Buffer): void {
    this.#partial.push(tail)
    this.#partialBytes += tail.length
    if (this.#partialBytes > this.#maxLineBytes) throw new RangeError(`a line is longer than ${this.#maxLineBytes} bytes`)
  }
}
