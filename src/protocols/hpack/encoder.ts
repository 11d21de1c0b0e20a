import { writeTableSize } from './decoder.ts'
import { writeField, writeInteger } from './field-block.ts'
import { fieldName } from './field-name.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'
import { STATIC_COUNT, STATIC_FIELDS } from './static-table.ts'

/** How an encoder writes. */
export interface EncoderOptions {
  /** Bytes of dynamic table used; at most what the peer announced. 0, the default: none. */
  readonly tableBytes?: number
  /** Whether strings are Huffman coded where that is shorter: fewer bytes for more work. Default: false. */
  readonly huffman?: boolean
  /** Names that never go into a table (RFC 7541 7.1.3). */
  readonly neverIndexed?: ReadonlySet<string>
}

const NEVER_INDEXED: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** Encodes the header blocks of one direction of a connection, in their order. Source: RFC 7541. */
export class HpackEncoder {
  readonly #maxBytes: number
  readonly #huffman: boolean
  readonly #never: ReadonlySet<string>
  /** Name and value, newest last; `#inserted` counts all that ever were. */
  readonly #entries: { readonly key: string; readonly sizeBytes: number }[] = []
  readonly #positions = new Map<string, number>()
  #inserted = 0
  #tableBytes = 0
  #sizeIsSaid: boolean

  constructor(options: EncoderOptions = {}) {
    this.#maxBytes = options.tableBytes ?? 0
    this.#huffman = options.huffman ?? false
    this.#never = options.neverIndexed ?? NEVER_INDEXED
    this.#sizeIsSaid = this.#maxBytes === 4096
  }

  /** The block of these fields; names are lower-case, values one octet a character. */
  encode(fields: Iterable<readonly [name: string, value: string]>): Buffer {
    const list = [...fields]
    const room = list.reduce((sum, [name, value]) => sum + name.length + value.length + 16, 8)
    const target = Buffer.allocUnsafe(room)
    let at = 0
    if (!this.#sizeIsSaid) at = writeTableSize(target, at, this.#maxBytes)
    this.#sizeIsSaid = true
    for (const [name, value] of list) at = this.#field(target, at, name, value)
    return target.subarray(0, at)
  }

  #field(target: Buffer, at: number, name: string, value: string): number {
    const described = fieldName(name)
    const sizeBytes = name.length + value.length + 32
    const isStatic = STATIC_FIELDS.get(name)?.has(value) === true
    const canIndex = !isStatic && !this.#never.has(name) && sizeBytes * 2 <= this.#maxBytes
    if (!this.#huffman && !canIndex) {
      const end = writeField(target, at, described, value)
      if (!isStatic && this.#never.has(name)) target[at] = (target[at] as number) | 0x10
      return end
    }
    if (isStatic) return writeField(target, at, described, value)
    const key = `${name}\0${value}`
    const position = this.#positions.get(key)
    if (position !== undefined && canIndex) return writeInteger(target, at, 0x80, 127, STATIC_COUNT + this.#inserted - position)
    if (canIndex) at = writeInteger(target, at, 0x40, 63, described.index)
    else at = writeInteger(target, at, this.#never.has(name) ? 0x10 : 0, 15, described.index)
    if (described.index === 0) at = this.#string(target, at, name)
    at = this.#string(target, at, value)
    if (canIndex) this.#insert(key, sizeBytes)
    return at
  }

  #string(target: Buffer, at: number, text: string): number {
    const length = this.#huffman ? huffmanLength(text) : text.length
    if (!this.#huffman || length >= text.length) {
      at = writeInteger(target, at, 0, 127, text.length)
      return at + target.write(text, at, 'latin1')
    }
    at = writeInteger(target, at, 0x80, 127, length)
    return encodeHuffman(text, target, at)
  }

  #insert(key: string, sizeBytes: number): void {
    this.#tableBytes += sizeBytes
    while (this.#tableBytes > this.#maxBytes) {
      const oldest = this.#entries.shift()
      if (oldest === undefined) break
      this.#tableBytes -= oldest.sizeBytes
      if (this.#positions.get(oldest.key) === this.#inserted - this.#entries.length - 1) this.#positions.delete(oldest.key)
    }
    this.#entries.push({ key, sizeBytes })
    this.#positions.set(key, this.#inserted++)
  }
}
