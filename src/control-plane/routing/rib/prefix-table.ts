import { type IpPrefix, maskIp } from '../../../base/ip.ts'
import { readU32, writeU32 } from '../../../protocols/bgp/attribute-block.ts'
import type { Family } from '../../../protocols/bgp/message.ts'
import { grownUint32, grownUint8, IntStack } from './columns.ts'

const INITIAL = 1024
/** Length of a number that is not in use. */
const UNUSED = 255

/** Prefixes of one family by number: small ones, reused after `remove`, so that they index columns. Addresses are 32-bit words in host order. */
export class PrefixTable {
  readonly family: Family
  readonly #words: number
  readonly #seed: number
  #slots: Int32Array = new Int32Array(2 * INITIAL)
  #addresses: Uint32Array
  #lengths: Uint8Array = new Uint8Array(INITIAL).fill(UNUSED)
  readonly #free = new IntStack()
  /** Numbers are below it. */
  high: number = 0
  capacity: number = INITIAL

  /** @param seed random, so that nobody can choose prefixes that collide */
  constructor(family: Family, seed: number = 0) {
    this.family = family
    this.#seed = seed
    this.#words = family === 4 ? 1 : 4
    this.#addresses = new Uint32Array(INITIAL * this.#words)
  }

  get size(): number {
    return this.high - this.#free.length
  }

  get bytes(): number {
    return this.#slots.byteLength + this.#addresses.byteLength + this.#lengths.byteLength
  }

  /** @returns its number, -1 when it is not there */
  find(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(this.#seed, w0, w1, w2, w3, length) & mask
    for (let held = this.#slots[slot] as number; held !== 0; held = this.#slots[slot] as number) {
      if (this.#is(held - 1, w0, w1, w2, w3, length)) return held - 1
      slot = (slot + 1) & mask
    }
    return -1
  }

  /** @returns its number; `high` may have grown */
  add(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const mask = this.#slots.length - 1
    let slot = hashOf(this.#seed, w0, w1, w2, w3, length) & mask
    for (let held = this.#slots[slot] as number; held !== 0; held = this.#slots[slot] as number) {
      if (this.#is(held - 1, w0, w1, w2, w3, length)) return held - 1
      slot = (slot + 1) & mask
    }
    let id = this.#free.pop()
    if (id < 0) {
      if (this.high === this.capacity) this.#grow()
      id = this.high++
    }
    this.#lengths[id] = length
    const at = id * this.#words
    this.#addresses[at] = w0
    if (this.#words === 4) {
      this.#addresses[at + 1] = w1
      this.#addresses[at + 2] = w2
      this.#addresses[at + 3] = w3
    }
    if (2 * this.size > this.#slots.length) this.#rehash()
    else this.#slots[slot] = id + 1
    return id
  }

  remove(id: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = this.#hashAt(id) & mask
    while (slots[hole] !== id + 1) hole = (hole + 1) & mask
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = this.#hashAt((slots[next] as number) - 1) & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      slots[hole] = slots[next] as number
      hole = next
    }
    slots[hole] = 0
    this.#lengths[id] = UNUSED
    this.#free.push(id)
  }

  isUsed(id: number): boolean {
    return this.#lengths[id] !== UNUSED
  }

  length(id: number): number {
    return this.#lengths[id] as number
  }

  /** The i-th word of the address. */
  word(id: number, i: number): number {
    return i < this.#words ? (this.#addresses[id * this.#words + i] as number) : 0
  }

  /** Writes length and address as an UPDATE has them. @returns the offset behind */
  write(id: number, out: Uint8Array, at: number): number {
    const length = this.#lengths[id] as number
    out[at++] = length
    if (this.#words === 1) {
      const word = this.#addresses[id] as number
      if (length > 0) out[at++] = word >>> 24
      if (length > 8) out[at++] = word >>> 16
      if (length > 16) out[at++] = word >>> 8
      if (length > 24) out[at++] = word
      return at
    }
    const size = (length + 7) >> 3
    for (let i = 0; i < size; i++) out[at++] = this.word(id, i >> 2) >>> (24 - 8 * (i & 3))
    return at
  }

  toPrefix(id: number): IpPrefix {
    const bytes = new Uint8Array(4 * this.#words)
    for (let i = 0; i < this.#words; i++) writeU32(bytes, 4 * i, this.word(id, i))
    return { family: this.family, bytes, length: this.length(id) }
  }

  /** Words of a prefix, for `find` and `add`. */
  static words(prefix: IpPrefix): readonly [number, number, number, number] {
    const bytes = maskIp(prefix.bytes, prefix.length)
    const word = (i: number): number => (4 * i < bytes.length ? readU32(bytes, 4 * i) : 0)
    return [word(0), word(1), word(2), word(3)]
  }

  #is(id: number, w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    if (this.#lengths[id] !== length) return false
    if (this.#words === 1) return this.#addresses[id] === w0
    const at = id * 4
    const words = this.#addresses
    return words[at] === w0 && words[at + 1] === w1 && words[at + 2] === w2 && words[at + 3] === w3
  }

  #hashAt(id: number): number {
    return hashOf(this.#seed, this.word(id, 0), this.word(id, 1), this.word(id, 2), this.word(id, 3), this.#lengths[id] as number)
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length)
    const mask = slots.length - 1
    for (let id = 0; id < this.high; id++) {
      if (!this.isUsed(id)) continue
      let slot = this.#hashAt(id) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = id + 1
    }
    this.#slots = slots
  }

  #grow(): void {
    const before = this.capacity
    this.capacity *= 2
    this.#addresses = grownUint32(this.#addresses, this.capacity * this.#words)
    this.#lengths = grownUint8(this.#lengths, this.capacity).fill(UNUSED, before)
  }
}

function hashOf(seed: number, w0: number, w1: number, w2: number, w3: number, length: number): number {
  let hash = Math.imul(w0 ^ Math.imul(length ^ seed, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 15) ^ seed, 0x27d4eb2f)
  hash ^= hash >>> 14
  if ((w1 | w2 | w3) !== 0) {
    hash = Math.imul(hash ^ w1, 0xc2b2ae35)
    hash = Math.imul(hash ^ (hash >>> 13) ^ w2, 0x9e3779b1)
    hash = Math.imul(hash ^ (hash >>> 15) ^ w3, 0x85ebca6b)
  }
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
