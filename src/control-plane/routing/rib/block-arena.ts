const CHUNK_BITS = 20
const CHUNK = 1 << CHUNK_BITS
/** Blocks are rounded up to this, and reused by rounded size. */
const GRAIN = 16

/** Bytes of many small blocks in few big arrays, with reuse of freed ones. Addresses are 32 bits; a block is at most 64 KiB and never moves. */
export class BlockArena {
  readonly #chunks: Uint8Array[] = []
  #next = CHUNK
  readonly #free = new Map<number, number[]>()

  get bytes(): number {
    return this.#chunks.length * CHUNK
  }

  /** Copies `bytes[start..end)` in. @returns its address */
  store(bytes: Uint8Array, start: number, end: number): number {
    const size = rounded(end - start)
    const address = this.#free.get(size)?.pop() ?? this.#take(size)
    const chunk = this.chunk(address)
    let at = this.offset(address)
    for (let i = start; i < end; i++) chunk[at++] = bytes[i] as number
    return address
  }

  free(address: number, length: number): void {
    const size = rounded(length)
    const list = this.#free.get(size)
    if (list) list.push(address)
    else this.#free.set(size, [address])
  }

  chunk(address: number): Uint8Array {
    return this.#chunks[address >>> CHUNK_BITS] as Uint8Array
  }

  offset(address: number): number {
    return address & (CHUNK - 1)
  }

  /** Whether the block there begins with these bytes. */
  equals(address: number, bytes: Uint8Array, start: number, end: number): boolean {
    const chunk = this.chunk(address)
    let at = this.offset(address)
    for (let i = start; i < end; i++) if (chunk[at++] !== bytes[i]) return false
    return true
  }

  #take(size: number): number {
    if (this.#next + size > CHUNK) {
      this.#chunks.push(new Uint8Array(CHUNK))
      this.#next = 0
    }
    const address = ((this.#chunks.length - 1) << CHUNK_BITS) | this.#next
    this.#next += size
    return address >>> 0
  }
}

/** Large blocks are rounded coarsely: few sizes, so that they are reused. */
function rounded(length: number): number {
  const grain = length > 1024 ? 1024 : GRAIN
  return Math.ceil(length / grain) * grain
}
