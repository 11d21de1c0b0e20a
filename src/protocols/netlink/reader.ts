import { NLA_TYPE_MASK } from './constants.ts'

/** Thrown for bytes that are no netlink. `code` is `BadNetlink`. */
export class NetlinkFormatError extends Error {
  override readonly name = 'NetlinkFormatError'
  readonly code = 'BadNetlink'
}

const text = new TextDecoder()

/**
 * Walks over the messages of one datagram without making objects: `while (messages.next()) switch (messages.type)`.
 * Any bytes end it, or throw NetlinkFormatError.
 */
export class MessageCursor {
  readonly bytes: Uint8Array
  type = 0
  flags = 0
  sequence = 0
  /** Of the sender of the request, in answers and in notifications of what it caused; 0 is the kernel itself. */
  port = 0
  /** Where the message begins: its head of 16 bytes. */
  begin = 0
  /** The payload. */
  start = 0
  end = 0
  #next: number
  readonly #limit: number

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.#next = start
    this.#limit = end
  }

  next(): boolean {
    const at = this.#next
    const rest = this.#limit - at
    // padding behind the last message
    if (rest < 4) return false
    if (rest < 16) throw new NetlinkFormatError('the datagram ends inside the head of a message')
    const bytes = this.bytes
    const length = uint32(bytes, at)
    if (length < 16 || length > rest) throw new NetlinkFormatError(`a message says it has ${length} bytes, of ${rest} that are there`)
    this.type = uint16(bytes, at + 4)
    this.flags = uint16(bytes, at + 6)
    this.sequence = uint32(bytes, at + 8)
    this.port = uint32(bytes, at + 12)
    this.begin = at
    this.start = at + 16
    this.end = at + length
    this.#next = at + align(length)
    return true
  }
}

/**
 * Walks over attributes without making objects: `while (attributes.next()) switch (attributes.type)`. The getters read the value of the
 * attribute it stands on. Any bytes end it, or throw NetlinkFormatError.
 */
export class AttributeCursor {
  readonly bytes: Uint8Array
  /** Without the flag bits. */
  type = 0
  /** The value. */
  start = 0
  end = 0
  #next: number
  readonly #limit: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    if (end > bytes.length || start > end) throw new NetlinkFormatError('a message is shorter than its fixed part')
    this.bytes = bytes
    this.#next = start
    this.#limit = end
  }

  next(): boolean {
    const at = this.#next
    const rest = this.#limit - at
    if (rest < 4) return false
    const bytes = this.bytes
    const length = uint16(bytes, at)
    if (length < 4 || length > rest) throw new NetlinkFormatError(`an attribute says it has ${length} bytes, of ${rest} that are there`)
    this.type = uint16(bytes, at + 2) & NLA_TYPE_MASK
    this.start = at + 4
    this.end = at + length
    this.#next = at + align(length)
    return true
  }

  /** The attributes inside. */
  nested(): AttributeCursor {
    return new AttributeCursor(this.bytes, this.start, this.end)
  }

  u8(): number {
    return this.#has(1)[this.start] as number
  }

  u16(): number {
    return uint16(this.#has(2), this.start)
  }

  u16be(): number {
    const bytes = this.#has(2)
    return ((bytes[this.start] as number) << 8) | (bytes[this.start + 1] as number)
  }

  u32(): number {
    return uint32(this.#has(4), this.start)
  }

  i32(): number {
    return uint32(this.#has(4), this.start) | 0
  }

  u32be(): number {
    return uint32be(this.#has(4), this.start)
  }

  u64be(): bigint {
    const bytes = this.#has(8)
    return (BigInt(uint32be(bytes, this.start)) << 32n) | BigInt(uint32be(bytes, this.start + 4))
  }

  u64(): bigint {
    const bytes = this.#has(8)
    return (BigInt(uint32(bytes, this.start + 4)) << 32n) | BigInt(uint32(bytes, this.start))
  }

  /** Up to the first zero byte. */
  string(): string {
    let end = this.start
    while (end < this.end && this.bytes[end] !== 0) end++
    return text.decode(this.bytes.subarray(this.start, end))
  }

  /** A copy. */
  value(): Uint8Array {
    return this.bytes.slice(this.start, this.end)
  }

  #has(length: number): Uint8Array {
    if (this.end - this.start < length)
      throw new NetlinkFormatError(`attribute ${this.type} has ${this.end - this.start} bytes, not ${length}`)
    return this.bytes
  }
}

export function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

export function uint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
  )
}

export function uint32be(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  )
}

const align = (length: number): number => (length + 3) & ~3
