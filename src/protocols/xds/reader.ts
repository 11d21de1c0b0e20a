import { XdsError } from './error.ts'

/** Reads protobuf from the beginning to the end of some bytes. @throws {XdsError} where they end too early. */
export class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get more(): boolean {
    return this.#at < this.#bytes.length
  }

  /** A tag or a length: at most 2^32 - 1. */
  varint(): number {
    let value = 0
    for (let scale = 1; scale < 34_359_738_368; scale *= 128) {
      const byte = this.#byte()
      value += (byte % 128) * scale
      if (byte < 128) {
        if (value > 4_294_967_295) break
        return value
      }
    }
    throw new XdsError('a tag or length is larger than 32 bits')
  }

  /** Unsigned, 64 bits. */
  varint64(): bigint {
    let low = 0
    // most numbers are small
    for (let scale = 1; scale <= 34_359_738_368; scale *= 128) {
      const byte = this.#byte()
      low += (byte % 128) * scale
      if (byte < 128) return BigInt(low)
    }
    let value = BigInt(low)
    for (let shift = 42n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw new XdsError('a number has more than ten bytes')
  }

  fixed32(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  fixed64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8))
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  /** The next bytes by their length; a view, no copy. */
  bytes(): Uint8Array {
    const length = this.varint()
    const from = this.#take(length)
    return this.#bytes.subarray(from, from + length)
  }

  string(): string {
    const length = this.varint()
    const from = this.#take(length)
    return this.#bytes.toString('utf8', from, from + length)
  }

  /** Leaves out one value. Groups are refused. */
  skip(wire: number): void {
    switch (wire) {
      case 0:
        this.varint64()
        return
      case 1:
        this.#take(8)
        return
      case 2:
        this.#take(this.varint())
        return
      case 5:
        this.#take(4)
        return
      default:
        throw new XdsError(`wire type ${wire} is not used any more`)
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new XdsError('the message ends inside a number')
    this.#at += 1
    return byte
  }

  #take(length: number): number {
    if (length > this.#bytes.length - this.#at) throw new XdsError('a field is longer than its message')
    this.#at += length
    return this.#at - length
  }
}
