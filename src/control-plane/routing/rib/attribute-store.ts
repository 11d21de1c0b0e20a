import { type AttributeFacts, AttributeFacts as Facts, readU32 } from '../../../protocols/bgp/attribute-block.ts'
import { WELL_KNOWN_COMMUNITIES } from '../../../policy/route/community-pattern.ts'
import { BlockArena } from './block-arena.ts'
import { grownInt32, grownUint16, grownUint32, grownUint8, IntStack } from './columns.ts'
import type { NextHopTable } from './next-hop-table.ts'

/** Bits of `AttributeStore.flags`. */
export const ATTRIBUTE_BITS = { hasMed: 1, noExport: 2, noAdvertise: 4, gracefulShutdown: 8, setLocalPreference: 16 } as const

const INITIAL = 1024

/**
 * Attribute sets by number, equal sets once. Routes hold numbers and count their references; sets without any go at the next `collect`, so numbers stay valid
 * within one operation. Beside the bytes it has what best path selection reads, one column each.
 */
export class AttributeStore {
  readonly #nextHops: NextHopTable
  readonly #seed: number
  readonly #arena = new BlockArena()
  readonly #facts = new Facts()
  #slots: Int32Array = new Int32Array(2 * INITIAL)
  #capacity = INITIAL
  #high = 0
  readonly #free = new IntStack()
  /** Sets whose count became or began at 0. */
  readonly #idle = new IntStack()

  #hash: Int32Array = new Int32Array(INITIAL)
  #address: Uint32Array = new Uint32Array(INITIAL)
  #length: Int32Array = new Int32Array(INITIAL)
  #references: Int32Array = new Int32Array(INITIAL)
  localPreference: Uint32Array = new Uint32Array(INITIAL)
  med: Uint32Array = new Uint32Array(INITIAL)
  neighbourAs: Uint32Array = new Uint32Array(INITIAL)
  originatorId: Uint32Array = new Uint32Array(INITIAL)
  nextHop: Int32Array = new Int32Array(INITIAL)
  asPathLength: Uint16Array = new Uint16Array(INITIAL)
  clusterListLength: Uint16Array = new Uint16Array(INITIAL)
  origin: Uint8Array = new Uint8Array(INITIAL)
  flags: Uint8Array = new Uint8Array(INITIAL)

  /** @param seed random, so that nobody can choose attributes that collide */
  constructor(nextHops: NextHopTable, seed: number = 0) {
    this.#nextHops = nextHops
    this.#seed = seed
  }

  /** Number of sets. */
  get size(): number {
    return this.#high - this.#free.length
  }

  get bytes(): number {
    return this.#arena.bytes + this.#slots.byteLength + this.#capacity * 46
  }

  /** The set of a block in normal form; made when there is none, without references. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(this.#seed, bytes, start, end)
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (let held = this.#slots[slot] as number; held !== 0; held = this.#slots[slot] as number) {
      const id = held - 1
      if (this.#hash[id] === hash && this.#length[id] === end - start) {
        if (this.#arena.equals(this.#address[id] as number, bytes, start, end)) return id
      }
      slot = (slot + 1) & mask
    }
    return this.#make(hash, slot, bytes, start, end)
  }

  retain(id: number): void {
    this.#references[id] = (this.#references[id] as number) + 1
  }

  release(id: number): void {
    const left = (this.#references[id] as number) - 1
    this.#references[id] = left
    if (left === 0) this.#idle.push(id)
  }

  /** Finds the parts of a set; valid until `collect`. */
  load(id: number, facts: AttributeFacts): AttributeFacts {
    const address = this.#address[id] as number
    return facts.load(this.#arena.chunk(address), this.#arena.offset(address), this.#length[id] as number)
  }

  blockBytes(id: number): Uint8Array {
    return this.#arena.chunk(this.#address[id] as number)
  }

  blockOffset(id: number): number {
    return this.#arena.offset(this.#address[id] as number)
  }

  blockLength(id: number): number {
    return this.#length[id] as number
  }

  /** Forgets sets without references. */
  collect(): void {
    for (let id = this.#idle.pop(); id >= 0; id = this.#idle.pop()) {
      // referenced again meanwhile, or listed twice
      if (this.#references[id] !== 0 || this.#length[id] === 0) continue
      this.#unlink(id)
      this.#nextHops.release(this.nextHop[id] as number)
      this.#arena.free(this.#address[id] as number, this.#length[id] as number)
      this.#length[id] = 0
      this.#free.push(id)
    }
  }

  #make(hash: number, slot: number, bytes: Uint8Array, start: number, end: number): number {
    let id = this.#free.pop()
    if (id < 0) {
      if (this.#high === this.#capacity) this.#grow()
      id = this.#high++
    }
    this.#hash[id] = hash
    this.#length[id] = end - start
    this.#references[id] = 0
    this.#address[id] = this.#arena.store(bytes, start, end)
    this.#note(id)
    this.#idle.push(id)
    if (2 * this.size > this.#slots.length) this.#rehash()
    else this.#slots[slot] = id + 1
    return id
  }

  #note(id: number): void {
    const facts = this.load(id, this.#facts)
    this.localPreference[id] = facts.localPreference
    this.med[id] = facts.med
    this.neighbourAs[id] = facts.neighbourAs
    this.originatorId[id] = facts.originatorId
    this.nextHop[id] = this.#nextHops.retain(facts.bytes, facts.nextHopOffset, facts.nextHopLength)
    this.asPathLength[id] = facts.asPathLength
    this.clusterListLength[id] = facts.clusterListBytes >> 2
    this.origin[id] = facts.origin
    let flags = (facts.hasMed ? ATTRIBUTE_BITS.hasMed : 0) | (facts.hasLocalPreference ? ATTRIBUTE_BITS.setLocalPreference : 0)
    const communities = facts.communitiesOffset + facts.communitiesBytes
    for (let at = facts.communitiesOffset; facts.communitiesBytes > 0 && at < communities; at += 4) flags |= bitOf(readU32(facts.bytes, at))
    this.flags[id] = flags
  }

  /** Backward shift: no tombstones to pile up. */
  #unlink(id: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = (this.#hash[id] as number) & mask
    while (slots[hole] !== id + 1) hole = (hole + 1) & mask
    for (let next = (hole + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const home = (this.#hash[(slots[next] as number) - 1] as number) & mask
      if (((next - home) & mask) < ((next - hole) & mask)) continue
      slots[hole] = slots[next] as number
      hole = next
    }
    slots[hole] = 0
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length)
    const mask = slots.length - 1
    for (let id = 0; id < this.#high; id++) {
      if (this.#length[id] === 0) continue
      let slot = (this.#hash[id] as number) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = id + 1
    }
    this.#slots = slots
  }

  #grow(): void {
    const capacity = 2 * this.#capacity
    this.#capacity = capacity
    this.#hash = grownInt32(this.#hash, capacity)
    this.#address = grownUint32(this.#address, capacity)
    this.#length = grownInt32(this.#length, capacity)
    this.#references = grownInt32(this.#references, capacity)
    this.localPreference = grownUint32(this.localPreference, capacity)
    this.med = grownUint32(this.med, capacity)
    this.neighbourAs = grownUint32(this.neighbourAs, capacity)
    this.originatorId = grownUint32(this.originatorId, capacity)
    this.nextHop = grownInt32(this.nextHop, capacity)
    this.asPathLength = grownUint16(this.asPathLength, capacity)
    this.clusterListLength = grownUint16(this.clusterListLength, capacity)
    this.origin = grownUint8(this.origin, capacity)
    this.flags = grownUint8(this.flags, capacity)
  }
}

function bitOf(community: number): number {
  switch (community) {
    case WELL_KNOWN_COMMUNITIES['no-export']:
    case WELL_KNOWN_COMMUNITIES['no-export-subconfed']:
      return ATTRIBUTE_BITS.noExport
    case WELL_KNOWN_COMMUNITIES['no-advertise']:
      return ATTRIBUTE_BITS.noAdvertise
    case WELL_KNOWN_COMMUNITIES['graceful-shutdown']:
      return ATTRIBUTE_BITS.gracefulShutdown
    default:
      return 0
  }
}

function hashOf(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = (end - start) ^ seed
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word =
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}
