import type { Http2Stream } from './stream.ts'

const FIRST_SIZE = 16

/**
 * Open streams by their identifiers. Not a Map: what a Map with much coming and going has outgrown keeps pointing at the streams of its time, and V8 takes all
 * of them into its old generation, which made a third of a proxy's time. Open addressing; entries behind a gap move up.
 */
export class StreamTable {
  /** 0, which no stream has: free. */
  #ids: Uint32Array = new Uint32Array(FIRST_SIZE)
  #streams: (Http2Stream | undefined)[] = Array.from({ length: FIRST_SIZE }, () => undefined)
  #mask = FIRST_SIZE - 1
  size = 0

  get(id: number): Http2Stream | undefined {
    const slot = this.#find(id)
    return this.#ids[slot] === id ? this.#streams[slot] : undefined
  }

  set(id: number, stream: Http2Stream): void {
    if (this.size * 2 >= this.#streams.length) this.#grow()
    const slot = this.#find(id)
    if (this.#ids[slot] !== id) this.size++
    this.#ids[slot] = id
    this.#streams[slot] = stream
  }

  delete(id: number): void {
    let gap = this.#find(id)
    if (this.#ids[gap] !== id) return
    this.size--
    for (let at = (gap + 1) & this.#mask; this.#ids[at] !== 0; at = (at + 1) & this.#mask) {
      const home = this.#home(this.#ids[at] as number)
      // it may move only to where it would be looked for
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue
      this.#ids[gap] = this.#ids[at] as number
      this.#streams[gap] = this.#streams[at]
      gap = at
    }
    this.#ids[gap] = 0
    this.#streams[gap] = undefined
  }

  /** Those of now, in no order; who goes through them sees also those that close meanwhile, and none that open. */
  values(): readonly Http2Stream[] {
    return this.#streams.filter((stream) => stream !== undefined)
  }

  /** Streams of one peer are all odd or all even. */
  #home(id: number): number {
    return (id >>> 1) & this.#mask
  }

  #find(id: number): number {
    let slot = this.#home(id)
    while (this.#ids[slot] !== 0 && this.#ids[slot] !== id) slot = (slot + 1) & this.#mask
    return slot
  }

  #grow(): void {
    const before = this.values()
    const size = this.#streams.length * 2
    this.#ids = new Uint32Array(size)
    this.#streams = Array.from({ length: size }, () => undefined)
    this.#mask = size - 1
    this.size = 0
    for (const stream of before) this.set(stream.id, stream)
  }
}
