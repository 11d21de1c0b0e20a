/** Longest key: longer strings are seldom the same twice. */
const LONGEST = 256

interface Slot<T> {
  key: Uint8Array
  value: T
}

/**
 * What certain bytes mean, for those seen often: `slots` (a power of two) places, each for the last key that hashed there and came twice in a row of misses.
 * A stream of ever new keys costs a hash each and allocates nothing; memory is bounded by `slots * 256` bytes.
 */
export class BytesMemo<T> {
  readonly #slots: (Slot<T> | undefined)[]
  readonly #lastMiss: Int32Array
  readonly #mask: number
  #hash = 0

  constructor(slots: number) {
    this.#slots = Array.from({ length: slots }, () => undefined)
    this.#lastMiss = new Int32Array(slots)
    this.#mask = slots - 1
  }

  /** What was remembered for `source[start..end)`. */
  find(source: Uint8Array, start: number, end: number): T | undefined {
    const length = end - start
    if (length > LONGEST) return undefined
    let hash = length
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (source[i] as number)) | 0
    hash ^= hash >>> 15
    this.#hash = hash
    const slot = this.#slots[hash & this.#mask]
    if (slot === undefined || slot.key.length !== length) return undefined
    const key = slot.key
    for (let i = 0; i < length; i++) if (key[i] !== source[start + i]) return undefined
    return slot.value
  }

  /** After a `find` of these bytes that found nothing: remembers the value from the second time on. */
  keep(source: Uint8Array, start: number, end: number, value: T): void {
    if (end - start > LONGEST) return
    const at = this.#hash & this.#mask
    if (this.#lastMiss[at] !== this.#hash) this.#lastMiss[at] = this.#hash
    else this.#slots[at] = { key: Uint8Array.prototype.slice.call(source, start, end), value }
  }
}
