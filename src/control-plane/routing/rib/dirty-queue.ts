import { grownUint8 } from './columns.ts'

/**
 * Prefixes that somebody has to look at, each at most once, first in first out. Bounded by the number of prefixes, so it needs no limit of its own: a slow
 * reader makes entries coalesce.
 */
export class DirtyQueue {
  /** 0 not queued, 1 queued, 2 queued and to be sent even when unchanged. */
  #marks: Uint8Array = new Uint8Array(64)
  #ring: Int32Array = new Int32Array(64)
  #first = 0
  length: number = 0

  push(id: number, mark: 1 | 2 = 1): void {
    if (id >= this.#marks.length) this.#marks = grownUint8(this.#marks, capacityFor(id))
    const before = this.#marks[id] as number
    if (before >= mark) return
    this.#marks[id] = mark
    if (before !== 0) return
    if (this.length === this.#ring.length) this.#grow(2 * this.length)
    this.#ring[(this.#first + this.length++) & (this.#ring.length - 1)] = id
  }

  /** Makes room for all numbers below `count` at once. */
  reserve(count: number): void {
    const capacity = capacityFor(count)
    if (capacity > this.#marks.length) this.#marks = grownUint8(this.#marks, capacity)
    if (capacity > this.#ring.length) this.#grow(capacity)
  }

  /** The next one, or -1. `wasForced` tells its mark. */
  pop(): number {
    if (this.length === 0) return -1
    const id = this.#ring[this.#first] as number
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.length--
    this.wasForced = this.#marks[id] === 2
    this.#marks[id] = 0
    return id
  }

  wasForced: boolean = false

  has(id: number): boolean {
    return id < this.#marks.length && this.#marks[id] !== 0
  }

  clear(): void {
    this.#marks = new Uint8Array(64)
    this.#ring = new Int32Array(64)
    this.#first = this.length = 0
  }

  get bytes(): number {
    return this.#marks.byteLength + this.#ring.byteLength
  }

  #grow(capacity: number): void {
    const ring = new Int32Array(capacity)
    const tail = this.#ring.length - this.#first
    ring.set(this.#ring.subarray(this.#first))
    ring.set(this.#ring.subarray(0, this.#first), tail)
    this.#ring = ring
    this.#first = 0
  }
}

/** The power of two above an index. */
export function capacityFor(index: number): number {
  return 1 << (32 - Math.clz32(Math.max(index, 63)))
}
