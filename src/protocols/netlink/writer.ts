import { NLA_NESTED } from './constants.ts'

/** Longest value of one attribute: its length field has 16 bits and counts the head of 4. */
export const MAX_ATTRIBUTE_BYTES = 65_531

const text = new TextEncoder()

/**
 * Builds netlink messages one behind the other in one growing buffer: what a socket sends in one call. Integers are in host order, which
 * is little-endian on every machine that Node 20 and koffi run on but s390x; those of netfilter are big-endian (`u32be`).
 * Attributes and messages are padded to 4 bytes. Values and nests that are too long throw RangeError.
 */
export class NetlinkWriter {
  #bytes: Uint8Array
  #at = 0
  #message = -1

  /** @param sizeBytes first size of the buffer; it doubles as needed */
  constructor(sizeBytes = 1024) {
    this.#bytes = new Uint8Array(sizeBytes)
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at
  }

  /** Opens a message, closing the one before. The port is 0: the kernel fills in the sender's. */
  message(type: number, flags: number, sequence: number): void {
    this.#endMessage()
    this.#message = this.#at
    this.#reserve(16)
    const at = this.#message
    this.#put16(at + 4, type)
    this.#put16(at + 6, flags)
    this.#put32(at + 8, sequence)
    this.#put32(at + 12, 0)
  }

  /** Fixed head of a family behind the message's own, such as rtmsg. */
  head(bytes: Uint8Array | readonly number[]): void {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
  }

  bytes(type: number, value: Uint8Array): void {
    const at = this.#attribute(type, value.length)
    this.#bytes.set(value, at)
  }

  u8(type: number, value: number): void {
    const at = this.#attribute(type, 1)
    this.#bytes[at] = value
  }

  u16(type: number, value: number): void {
    this.#put16(this.#attribute(type, 2), value)
  }

  u16be(type: number, value: number): void {
    const at = this.#attribute(type, 2)
    this.#bytes[at] = value >>> 8
    this.#bytes[at + 1] = value
  }

  u32(type: number, value: number): void {
    this.#put32(this.#attribute(type, 4), value)
  }

  u32be(type: number, value: number): void {
    this.#put32be(this.#attribute(type, 4), value)
  }

  u64be(type: number, value: bigint): void {
    const at = this.#attribute(type, 8)
    this.#put32be(at, Number((value >> 32n) & 0xffff_ffffn))
    this.#put32be(at + 4, Number(value & 0xffff_ffffn))
  }

  /** Ends with a zero byte, as the kernel's names do. */
  string(type: number, value: string): void {
    const encoded = text.encode(value)
    const at = this.#attribute(type, encoded.length + 1)
    this.#bytes.set(encoded, at)
    this.#bytes[at + encoded.length] = 0
  }

  /** An attribute without a value. */
  flag(type: number): void {
    this.#attribute(type, 0)
  }

  /** Opens an attribute that holds attributes. @returns what `close` takes. @param flagged whether NLA_F_NESTED is set, as all new families want */
  open(type: number, flagged = true): number {
    const start = this.#attribute(type, 0)
    if (flagged) this.#put16(start - 2, type | NLA_NESTED)
    return start - 4
  }

  close(nest: number): void {
    const length = this.#at - nest
    if (length > MAX_ATTRIBUTE_BYTES + 4) throw new RangeError(`a netlink attribute of ${length} bytes: at most 65535 fit`)
    this.#put16(nest, length)
  }

  /** Goes back to an earlier `length`, within the open message: takes out what was written since. */
  rewind(length: number): void {
    this.#at = length
  }

  /** Ends the last message. @returns all of them, in memory that belongs to the caller from now on */
  finish(): Uint8Array {
    this.#endMessage()
    const bytes = this.#bytes.subarray(0, this.#at)
    this.#bytes = new Uint8Array(0)
    this.#at = 0
    return bytes
  }

  #endMessage(): void {
    if (this.#message >= 0) this.#put32(this.#message, this.#at - this.#message)
    this.#message = -1
  }

  /** Room for an attribute and its head. @returns where the value goes; padding is zero */
  #attribute(type: number, length: number): number {
    if (length > MAX_ATTRIBUTE_BYTES) throw new RangeError(`a netlink attribute of ${length} bytes: at most ${MAX_ATTRIBUTE_BYTES} fit`)
    const at = this.#reserve(4 + length)
    this.#put16(at, 4 + length)
    this.#put16(at + 2, type)
    return at + 4
  }

  #reserve(length: number): number {
    const at = this.#at
    const end = at + ((length + 3) & ~3)
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
    } else {
      // what a rewind left
      for (let i = at + length; i < end; i++) this.#bytes[i] = 0
    }
    this.#at = end
    return at
  }

  #put16(at: number, value: number): void {
    this.#bytes[at] = value
    this.#bytes[at + 1] = value >>> 8
  }

  #put32(at: number, value: number): void {
    const bytes = this.#bytes
    bytes[at] = value
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 24
  }

  #put32be(at: number, value: number): void {
    const bytes = this.#bytes
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
  }
}
