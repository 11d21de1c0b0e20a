/**
 * Writes protobuf from the end to the beginning: when the length of a message has to be written, the message already is. Grows by doubling.
 * Source: protobuf.dev/programming-guides/encoding.
 */
export class BackwardWriter {
  #buffer: Buffer = Buffer.allocUnsafeSlow(4096)
  #view = new DataView(this.#buffer.buffer)
  #at = this.#buffer.length

  /** How much is written; differences are lengths of messages. */
  get length(): number {
    return this.#buffer.length - this.#at
  }

  /** What has been written, as bytes of their own; the writer is empty afterwards and keeps at most 1 MiB. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#buffer.subarray(this.#at))
    this.reset()
    return bytes
  }

  /** Forgets what was written. */
  reset(): void {
    if (this.#buffer.length > 1_048_576) this.#use(Buffer.allocUnsafeSlow(4096))
    this.#at = this.#buffer.length
  }

  /** A whole number from 0 to 2^53. */
  varint(value: number): void {
    if (value < 128) {
      this.#need(1)
      this.#buffer[--this.#at] = value
      return
    }
    this.#need(8)
    let length = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1
    this.#at -= length
    let rest = value
    for (let index = this.#at; index < this.#at + length - 1; index += 1) {
      this.#buffer[index] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#at + length - 1] = rest
  }

  /** 64 bits, negative ones in two's complement. */
  varint64(value: bigint): void {
    this.#need(10)
    const bytes: number[] = []
    let rest = BigInt.asUintN(64, value)
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128)
    bytes.push(Number(rest))
    this.#at -= bytes.length
    this.#buffer.set(bytes, this.#at)
  }

  fixed32(value: number): void {
    this.#need(4)
    this.#view.setUint32((this.#at -= 4), value, true)
  }

  fixed64(value: bigint): void {
    this.#need(8)
    this.#view.setBigUint64((this.#at -= 8), BigInt.asUintN(64, value), true)
  }

  float(value: number): void {
    this.#need(4)
    this.#view.setFloat32((this.#at -= 4), value, true)
  }

  double(value: number): void {
    this.#need(8)
    this.#view.setFloat64((this.#at -= 8), value, true)
  }

  /** UTF-8 with its length before it. */
  string(value: string): void {
    // short ASCII text is almost all that there is, and faster by hand than by a call out of JavaScript
    if (value.length <= 48) {
      this.#need(value.length)
      const start = this.#at - value.length
      let index = value.length - 1
      for (; index >= 0; index -= 1) {
        const code = value.charCodeAt(index)
        if (code > 127) break
        this.#buffer[start + index] = code
      }
      if (index === -1) {
        this.#at = start
        this.varint(value.length)
        return
      }
    }
    const length = Buffer.byteLength(value)
    this.#need(length)
    this.#at -= length
    this.#buffer.write(value, this.#at, length)
    this.varint(length)
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.#need(value.length)
    this.#buffer.set(value, (this.#at -= value.length))
    this.varint(value.length)
  }

  #need(length: number): void {
    if (this.#at >= length) return
    const used = this.length
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, used + length + 1024))
    this.#buffer.copy(larger, larger.length - used, this.#at)
    this.#use(larger)
    this.#at = larger.length - used
  }

  #use(buffer: Buffer): void {
    this.#buffer = buffer
    this.#view = new DataView(buffer.buffer)
  }
}
