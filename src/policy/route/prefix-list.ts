import type { IpPrefix } from '../../base/ip.ts'
import { readU32 } from '../../protocols/bgp/attribute-block.ts'

/** One line of a prefix list: routes inside `prefix` whose length is within the bounds. */
export interface PrefixListEntry {
  readonly prefix: IpPrefix
  readonly ge: number
  readonly le: number
}

const NODE = 4
const ZERO = 0
const ONE = 1
/** First of a chain in `#entries`, 0 for none. */
const ENTRY = 2

/** Prefix lists of both families as binary tries: a look-up walks at most the length of the prefix, whatever the size of the list. */
export class PrefixList {
  /** Two roots: IPv4 at 0, IPv6 at 1. */
  #nodes: Int32Array = new Int32Array(NODE * 16)
  #count = 2
  /** Triples: ge, le, next. Starts with a hole so that 0 means none. */
  readonly #entries: number[] = [0, 0, 0]

  constructor(entries: readonly PrefixListEntry[]) {
    for (const entry of entries) this.#insert(entry)
  }

  #insert({ prefix, ge, le }: PrefixListEntry): void {
    let node = prefix.family === 4 ? 0 : 1
    for (let bit = 0; bit < prefix.length; bit++) {
      const side = ((prefix.bytes[bit >> 3] as number) >> (7 - (bit & 7))) & 1
      const slot = node * NODE + (side === 0 ? ZERO : ONE)
      if (this.#nodes[slot] === 0) {
        if ((this.#count + 1) * NODE > this.#nodes.length) {
          const grown = new Int32Array(2 * this.#nodes.length)
          grown.set(this.#nodes)
          this.#nodes = grown
        }
        this.#nodes[slot] = this.#count++
      }
      node = this.#nodes[slot] as number
    }
    const at = this.#entries.length
    this.#entries.push(ge, le, this.#nodes[node * NODE + ENTRY] as number)
    this.#nodes[node * NODE + ENTRY] = at
  }

  /** Words in host order; IPv4 uses the first. */
  matches(family: 4 | 6, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    const nodes = this.#nodes
    let node = family === 4 ? 0 : 1
    let word = w0
    for (let bit = 0; ; bit++) {
      for (let entry = nodes[node * NODE + ENTRY] as number; entry !== 0; entry = this.#entries[entry + 2] as number) {
        if (length >= (this.#entries[entry] as number) && length <= (this.#entries[entry + 1] as number)) return true
      }
      if (bit >= length) return false
      if (bit === 32) word = w1
      else if (bit === 64) word = w2
      else if (bit === 96) word = w3
      node = nodes[node * NODE + ((word >>> (31 - (bit & 31))) & 1)] as number
      if (node === 0) return false
    }
  }

  /** Whether an address in bytes lies in one of the prefixes. */
  matchesAddress(bytes: Uint8Array, offset: number, size: number): boolean {
    if (size === 4) return this.matches(4, readU32(bytes, offset), 0, 0, 0, 32)
    const word = (i: number): number => readU32(bytes, offset + 4 * i)
    return this.matches(6, word(0), word(1), word(2), word(3), 128)
  }
}
