import type { Family } from '../../../protocols/bgp/message.ts'
import { grownInt32, grownUint16, grownUint32, IntStack } from './columns.ts'
import { DirtyQueue } from './dirty-queue.ts'
import { PrefixTable } from './prefix-table.ts'

const INITIAL = 1024

/** Values of `RouteTable.accepted` below 0: why a path takes no part. */
export const REFUSED = { byPolicy: -1, ownAs: -2, originator: -3, cluster: -4, noPolicy: -5, tooLarge: -6, firstAs: -7 } as const

/**
 * Routes of one family in columns. Each prefix has a list of paths (Adj-RIB-In of all peers, and local routes), its best path, and what the forwarding
 * table knows; each path a peer, a path identifier and two attribute sets.
 */
export class RouteTable {
  readonly family: Family
  readonly prefixes: PrefixTable

  /** First path of a prefix, -1 for none. */
  first: Int32Array = new Int32Array(INITIAL).fill(-1)
  /** Best path, -1 for none. */
  best: Int32Array = new Int32Array(INITIAL).fill(-1)
  /** Number of the next hops that the forwarding table was told, 0 for none. */
  fib: Int32Array = new Int32Array(INITIAL)

  /** Next path of the same prefix. */
  next: Int32Array = new Int32Array(INITIAL)
  peer: Uint16Array = new Uint16Array(INITIAL)
  pathId: Uint32Array = new Uint32Array(INITIAL)
  /** Attributes as received. */
  received: Int32Array = new Int32Array(INITIAL)
  /** Attributes after the import policy, or one of `REFUSED`. */
  accepted: Int32Array = new Int32Array(INITIAL)
  /** Session of the peer that confirmed it last: older than the peer's own means stale. */
  epoch: Uint16Array = new Uint16Array(INITIAL)
  age: Uint32Array = new Uint32Array(INITIAL)

  /** Prefixes whose forwarding entry may have changed. */
  readonly fibDirty: DirtyQueue = new DirtyQueue()

  #prefixCapacity = INITIAL
  #pathCapacity = INITIAL
  #pathHigh = 0
  readonly #freePaths = new IntStack()

  constructor(family: Family, seed: number) {
    this.family = family
    this.prefixes = new PrefixTable(family, seed)
  }

  get paths(): number {
    return this.#pathHigh - this.#freePaths.length
  }

  get bytes(): number {
    return this.prefixes.bytes + this.#prefixCapacity * 12 + this.#pathCapacity * 24 + this.fibDirty.bytes + this.#freePaths.bytes
  }

  addPrefix(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const id = this.prefixes.add(w0, w1, w2, w3, length)
    if (id >= this.#prefixCapacity) this.#growPrefixes()
    return id
  }

  /** @returns the path, -1 when the peer has none */
  findPath(prefix: number, peer: number, pathId: number): number {
    let path = this.first[prefix] as number
    while (path >= 0 && (this.peer[path] !== peer || this.pathId[path] !== pathId)) path = this.next[path] as number
    return path
  }

  addPath(prefix: number, peer: number, pathId: number): number {
    let path = this.#freePaths.pop()
    if (path < 0) {
      if (this.#pathHigh === this.#pathCapacity) this.#growPaths()
      path = this.#pathHigh++
    }
    this.peer[path] = peer
    this.pathId[path] = pathId
    this.next[path] = this.first[prefix] as number
    this.first[prefix] = path
    return path
  }

  removePath(prefix: number, path: number): void {
    let before = -1
    for (let at = this.first[prefix] as number; at !== path; at = this.next[at] as number) before = at
    if (before < 0) this.first[prefix] = this.next[path] as number
    else this.next[before] = this.next[path] as number
    this.#freePaths.push(path)
  }

  #growPrefixes(): void {
    this.#prefixCapacity *= 2
    this.first = grownInt32(this.first, this.#prefixCapacity, -1)
    this.best = grownInt32(this.best, this.#prefixCapacity, -1)
    this.fib = grownInt32(this.fib, this.#prefixCapacity)
  }

  #growPaths(): void {
    this.#pathCapacity *= 2
    this.next = grownInt32(this.next, this.#pathCapacity)
    this.peer = grownUint16(this.peer, this.#pathCapacity)
    this.pathId = grownUint32(this.pathId, this.#pathCapacity)
    this.received = grownInt32(this.received, this.#pathCapacity)
    this.accepted = grownInt32(this.accepted, this.#pathCapacity)
    this.epoch = grownUint16(this.epoch, this.#pathCapacity)
    this.age = grownUint32(this.age, this.#pathCapacity)
  }
}
