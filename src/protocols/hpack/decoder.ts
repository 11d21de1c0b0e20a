import { BytesMemo } from './bytes-memo.ts'
import { HpackError } from './error.ts'
import { type FieldBlock, decodeLiteral, scratchFor, writeInteger } from './field-block.ts'
import { type FieldName, NameKind, describeName, fieldName } from './field-name.ts'
import { decodeHuffman } from './huffman.ts'
import { STATIC_COUNT, STATIC_TABLE } from './static-table.ts'

/** Limits of a decoder. */
export interface DecoderLimits {
  /** What we announced as SETTINGS_HEADER_TABLE_SIZE; the peer may not choose more. */
  readonly maxTableBytes: number
  /** Longest list of fields, counted as in RFC 7541 4.1; the rest of a longer one is read for its effect on the table alone. */
  readonly maxListBytes: number
}

interface Entry {
  readonly name: FieldName
  /** The string literal of the value, as it came. */
  readonly value: Buffer
  /** Octets of name and value. */
  readonly octets: number
  readonly fault: string | undefined
}

const STATIC: readonly FieldName[] = STATIC_TABLE.map(([name]) => fieldName(name))
const STATIC_OCTETS: readonly number[] = STATIC_TABLE.map(([name, value]) => name.length + value.length)
/** Longest integer: four bytes after the prefix, so that nothing overflows. */
const LONGEST_INTEGER = 4

/** Literal names by their bytes. */
const names = new BytesMemo<FieldName>(512)
/** Octets of string literals whose content was found good, by their bytes. */
const goodValues = new BytesMemo<number>(2048)

/** Decodes the header blocks of one direction of a connection, in their order. Source: RFC 7541. */
export class HpackDecoder {
  readonly #limits: DecoderLimits
  /** Newest last. */
  readonly #entries: Entry[] = []
  #tableBytes = 0
  #maxTableBytes: number
  #allowed: number
  /** End of what the last read took. */
  #at = 0
  #fault: string | undefined

  /** A decoder whose table may have 4096 bytes until {@link allowTable} says that the peer knows better. */
  constructor(limits: DecoderLimits) {
    this.#limits = limits
    this.#maxTableBytes = 4096
    this.#allowed = Math.max(4096, limits.maxTableBytes)
  }

  /**
   * The peer has acknowledged our settings: from now on it may not choose more than `maxTableBytes`. That it says so in its next block (RFC 7541 4.2) is not insisted
   * upon: old peers ignore the setting, and their table stays within what it had.
   */
  settingsAcknowledged(): void {
    this.#allowed = this.#limits.maxTableBytes
  }

  /** Bytes in the dynamic table, for tests and metrics. */
  get tableBytes(): number {
    return this.#tableBytes
  }

  /** Decodes `source[start..end)` into an empty block. Bad characters are noted in `block.fault`. @throws {HpackError} after which the connection is useless. */
  decode(source: Buffer, start: number, end: number, block: FieldBlock): void {
    let p = start
    while (p < end) {
      const first = source[p] as number
      if (first >= 0x80) {
        if (first !== 0xff) {
          this.#indexed(first & 127, block)
          p++
        } else {
          this.#indexed(this.#integer(source, p, end, 127), block)
          p = this.#at
        }
      } else if ((first & 0xe0) === 0x20) {
        if (block.count > 0 || block.isTooLarge) throw new HpackError('a table size update stands after a field; it must be the first')
        this.#resize(this.#integer(source, p, end, 31))
        p = this.#at
      } else p = this.#literal(source, p, end, block, first >= 0x40)
    }
  }

  #indexed(index: number, block: FieldBlock): void {
    if (index === 0) throw new HpackError('a field has the index 0')
    if (index > STATIC_COUNT) {
      const entry = this.#entry(index)
      this.#emit(block, entry.name, entry.value, 0, entry.value.length, entry.octets, entry.fault)
      return
    }
    const octets = STATIC_OCTETS[index - 1] as number
    if (!this.#hasRoom(block, octets)) return
    block.reserve(1)
    block.bytes[block.length] = 0x80 | index
    block.push(STATIC[index - 1] as FieldName, -index, block.length + 1, octets)
  }

  #literal(source: Buffer, p: number, end: number, block: FieldBlock, isIndexed: boolean): number {
    const index = this.#integer(source, p, end, isIndexed ? 63 : 15)
    let name: FieldName
    if (index === 0) name = this.#name(source, this.#at, end)
    else name = index > STATIC_COUNT ? this.#entry(index).name : (STATIC[index - 1] as FieldName)
    const valueStart = this.#at
    const octets = name.text.length + this.#valueOctets(source, valueStart, end)
    const valueEnd = this.#at
    this.#emit(block, name, source, valueStart, valueEnd, octets, this.#fault)
    if (isIndexed) this.#insert(name, source, valueStart, valueEnd, octets)
    return valueEnd
  }

  #emit(block: FieldBlock, name: FieldName, source: Buffer, start: number, end: number, octets: number, fault: string | undefined): void {
    if (!this.#hasRoom(block, octets)) return
    if (name.kind === NameKind.invalid) block.fault ??= 'a field name has characters that names cannot have'
    if (fault !== undefined) block.fault ??= fault
    const prefix = name.prefix
    const length = end - start
    block.reserve(prefix.length + length)
    const bytes = block.bytes
    let at = block.length
    for (let i = 0; i < prefix.length; i++) bytes[at++] = prefix[i] as number
    const valueAt = at
    if (length > 48) at += source.copy(bytes, at, start, end)
    else for (let i = start; i < end; i++) bytes[at++] = source[i] as number
    block.push(name, valueAt, at, octets)
  }

  #hasRoom(block: FieldBlock, octets: number): boolean {
    if (block.isTooLarge || block.listBytes + octets + 32 > this.#limits.maxListBytes) {
      block.isTooLarge = true
      return false
    }
    return true
  }

  #name(source: Buffer, start: number, end: number): FieldName {
    const length = this.#integer(source, start, end, 127)
    const stop = this.#at + length
    if (stop > end) throw new HpackError('a field name is longer than its block')
    this.#at = stop
    const known = names.find(source, start, stop)
    if (known !== undefined) return known
    const text = decodeLiteral(source, start, stop)
    const name = text === '' ? describeName('') : fieldName(text)
    names.find(source, start, stop)
    names.keep(source, start, stop, name)
    return name
  }

  /** Octets of a value; leaves its end in `#at` and what is wrong with it in `#fault`. */
  #valueOctets(source: Buffer, start: number, end: number): number {
    const length = this.#integer(source, start, end, 127)
    const content = this.#at
    const stop = content + length
    if (stop > end) throw new HpackError('a field value is longer than its block')
    this.#at = stop
    this.#fault = undefined
    if (length === 0) return 0
    const known = goodValues.find(source, start, stop)
    if (known !== undefined) return known
    let octets = length
    let isGood = true
    let text: Buffer = source
    let from = content
    if ((source[start] as number) > 127) {
      text = scratchFor(length)
      from = 0
      octets = decodeHuffman(source, content, stop, text, 0)
      if (octets < 0) {
        isGood = false
        octets = -octets
      }
    } else {
      for (let i = content; i < stop; i++) {
        const octet = source[i] as number
        if (octet <= 13 && (octet === 0 || octet === 10 || octet === 13)) isGood = false
      }
    }
    if (!isGood) this.#fault = 'a field value has a NUL, LF or CR'
    else if (isSpace(text[from]) || isSpace(text[from + octets - 1])) this.#fault = 'a field value begins or ends with white space'
    else goodValues.keep(source, start, stop, octets)
    return octets
  }

  /** An integer with a prefix of `mask`; leaves its end in `#at`. Source: RFC 7541 5.1. */
  #integer(source: Buffer, p: number, end: number, mask: number): number {
    if (p >= end) throw new HpackError('a header block ends inside a field')
    let value = (source[p++] as number) & mask
    if (value === mask) {
      for (let i = 0, scale = 1; ; i++, scale *= 128) {
        if (p >= end) throw new HpackError('a header block ends inside a number')
        if (i === LONGEST_INTEGER) throw new HpackError('a number has more than four bytes after its first')
        const byte = source[p++] as number
        value += (byte & 127) * scale
        if (byte < 128) break
      }
    }
    this.#at = p
    return value
  }

  #entry(index: number): Entry {
    const entry = this.#entries[this.#entries.length - (index - STATIC_COUNT)]
    if (entry === undefined)
      throw new HpackError(`a field has the index ${index}, the table ends at ${STATIC_COUNT + this.#entries.length}`)
    return entry
  }

  #insert(name: FieldName, source: Buffer, start: number, end: number, octets: number): void {
    const sizeBytes = octets + 32
    this.#evict(this.#maxTableBytes - sizeBytes)
    if (sizeBytes > this.#maxTableBytes) return
    this.#tableBytes += sizeBytes
    this.#entries.push({ name, value: Buffer.from(source.subarray(start, end)), octets, fault: this.#fault })
  }

  #resize(maxBytes: number): void {
    if (maxBytes > this.#allowed) throw new HpackError(`the table size ${maxBytes} was chosen, ${this.#allowed} is allowed`)
    this.#maxTableBytes = maxBytes
    this.#evict(maxBytes)
  }

  #evict(keepBytes: number): void {
    let gone = 0
    for (; this.#tableBytes > Math.max(0, keepBytes); gone++) this.#tableBytes -= (this.#entries[gone] as Entry).octets + 32
    if (gone > 0) this.#entries.splice(0, gone)
  }
}

function isSpace(octet: number | undefined): boolean {
  return octet === 32 || octet === 9
}

/** Writes a change of the table size, which must stand first in a block. Returns the end. */
export function writeTableSize(target: Uint8Array, at: number, maxTableBytes: number): number {
  return writeInteger(target, at, 0x20, 31, maxTableBytes)
}
