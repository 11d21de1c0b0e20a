import { BytesMemo } from './bytes-memo.ts'
import { type FieldName, fieldName } from './field-name.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_FIELDS, STATIC_TABLE } from './static-table.ts'

const FIRST_BYTES = 512
/** A buffer larger than this is let go when the block is used again. */
const KEPT_BYTES = 16_384

let scratch = Buffer.allocUnsafeSlow(4096)

/** Texts of string literals seen often, by their bytes. */
const texts = new BytesMemo<string>(2048)

/** Room for the octets of a Huffman string of this many bytes. */
export function scratchFor(encodedBytes: number): Buffer {
  if (scratch.length < encodedBytes * 2) scratch = Buffer.allocUnsafeSlow(encodedBytes * 2)
  return scratch
}

/**
 * The fields of one header block, each in a form that depends on no dynamic table: an index of the static table, or a literal without indexing. They can be copied
 * to any peer byte for byte, and are decoded to strings only where somebody asks. Field `i` lies at `starts[i]` up to `starts[i + 1]`.
 */
export class FieldBlock {
  bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES)
  length = 0
  count = 0
  readonly names: FieldName[] = []
  readonly starts: number[] = [0]
  /** Where the string literal of the value starts; or minus the index of the static table that has name and value. */
  readonly valueStarts: number[] = []
  readonly #values: (string | undefined)[] = []
  /** Sum of RFC 7541 4.1: octets of names and values and 32 for each field. */
  listBytes = 0
  /** Fields were left out, the list would have been longer than the limit. */
  isTooLarge = false
  /** What is wrong with a field (RFC 9113 8.2.1); undefined: nothing. */
  fault: string | undefined = undefined

  /** Empties it for the next message. */
  clear(): void {
    this.length = this.count = this.listBytes = 0
    this.isTooLarge = false
    this.fault = undefined
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafe(FIRST_BYTES)
  }

  /** Makes room for more bytes. */
  reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  /** Takes down a field whose bytes the caller has put at `length`. */
  push(name: FieldName, valueStart: number, end: number, octets: number): void {
    const i = this.count++
    this.names[i] = name
    this.valueStarts[i] = valueStart
    this.#values[i] = undefined
    this.length = this.starts[i + 1] = end
    this.listBytes += octets + 32
  }

  /** Appends a field; a value is one octet a character. */
  add(name: string, value: string): void {
    const described = fieldName(name)
    this.reserve(described.prefix.length + value.length + 8)
    const end = writeField(this.bytes, this.length, described, value)
    const index = described.index === 0 ? undefined : STATIC_FIELDS.get(name)?.get(value)
    this.push(described, index === undefined ? this.length + described.prefix.length : -index, end, name.length + value.length)
    this.#values[this.count - 1] = value
  }

  /** Name of a field. */
  name(i: number): string {
    return (this.names[i] as FieldName).text
  }

  /** Value of a field, one character an octet. */
  value(i: number): string {
    return (this.#values[i] ??= this.#decode(this.valueStarts[i] as number, this.starts[i + 1] as number))
  }

  /** Position of the first field with this name from `from` on, or -1. */
  indexOf(name: string, from = 0): number {
    for (let i = from; i < this.count; i++) if ((this.names[i] as FieldName).text === name) return i
    return -1
  }

  /** Value of the first field with this name. */
  get(name: string): string | undefined {
    const i = this.indexOf(name)
    return i < 0 ? undefined : this.value(i)
  }

  /** Takes over the content of another block. */
  copyFrom(other: FieldBlock): void {
    this.clear()
    this.reserve(other.length)
    other.bytes.copy(this.bytes, 0, 0, other.length)
    for (let i = 0; i < other.count; i++) {
      this.names[i] = other.names[i] as FieldName
      this.valueStarts[i] = other.valueStarts[i] as number
      this.starts[i + 1] = other.starts[i + 1] as number
      this.#values[i] = other.#values[i]
    }
    this.length = other.length
    this.count = other.count
    this.listBytes = other.listBytes
    this.isTooLarge = other.isTooLarge
    this.fault = other.fault
  }

  #decode(start: number, end: number): string {
    if (start < 0) return (STATIC_TABLE[-start - 1] as readonly [string, string])[1]
    return decodeLiteral(this.bytes, start, end)
  }
}

/** Text of the string literal at `start` that ends at `end`; its form was checked before. */
export function decodeLiteral(bytes: Buffer, start: number, end: number): string {
  const known = texts.find(bytes, start, end)
  if (known !== undefined) return known
  const isHuffman = (bytes[start] as number) > 127
  let at = start + 1
  if (((bytes[start] as number) & 127) === 127) while ((bytes[at++] as number) > 127);
  let text: string
  if (isHuffman) {
    const room = scratchFor(end - at)
    text = room.toString('latin1', 0, Math.abs(decodeHuffman(bytes, at, end, room, 0)))
  } else text = bytes.toString('latin1', at, end)
  texts.keep(bytes, start, end, text)
  return text
}

/** Writes an integer with a prefix of `mask` (all ones), `high` above it; returns the end. Source: RFC 7541 5.1. */
export function writeInteger(target: Uint8Array, at: number, high: number, mask: number, value: number): number {
  if (value < mask) {
    target[at++] = high | value
    return at
  }
  target[at++] = high | mask
  for (value -= mask; value > 127; value = Math.floor(value / 128)) target[at++] = (value & 127) | 128
  target[at++] = value
  return at
}

/** Writes a field without any use of a dynamic table; the caller has made room for the name's prefix, the value and eight bytes. Returns the end. */
export function writeField(target: Buffer, at: number, name: FieldName, value: string): number {
  if (name.index > 0) {
    const index = STATIC_FIELDS.get(name.text)?.get(value)
    if (index !== undefined) {
      target[at] = 0x80 | index
      return at + 1
    }
  }
  const prefix = name.prefix
  for (let i = 0; i < prefix.length; i++) target[at++] = prefix[i] as number
  at = writeInteger(target, at, 0, 127, value.length)
  if (value.length > 24) return at + target.write(value, at, 'latin1')
  for (let i = 0; i < value.length; i++) target[at++] = value.charCodeAt(i)
  return at
}
