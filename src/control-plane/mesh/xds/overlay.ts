/** What a client holds: a resource of ours, or a version that it has brought along. */
interface Versioned {
  readonly version: string
}

interface Names {
  readonly size: number
  has(name: string): boolean
  keys(): Iterable<string>
}

/** Differences below which nobody looks for a better base. */
const FEW = 32
const NOTHING: ReadonlyMap<string, never> = new Map<string, never>()

/**
 * Most clients hold the same as others: a set of names that is kept as a set that many have, and what is different. It can be based on another one at any
 * time, which changes nothing but its size in memory.
 */
export class OverlaySet {
  #base: Names = NOTHING
  #more: Set<string> = new Set()
  #less: Set<string> | undefined
  #lookAt = FEW

  get size(): number {
    return this.#base.size - (this.#less?.size ?? 0) + this.#more.size
  }

  has(name: string): boolean {
    return this.#more.has(name) || (this.#base.has(name) && !this.#less?.has(name))
  }

  add(name: string): void {
    if (this.#less?.delete(name) || this.#base.has(name)) return
    this.#more.add(name)
  }

  delete(name: string): boolean {
    if (this.#more.delete(name)) return true
    if (!this.#base.has(name) || this.#less?.has(name)) return false
    this.#less = (this.#less ?? new Set()).add(name)
    return true
  }

  *[Symbol.iterator](): Generator<string> {
    for (const name of this.#base.keys()) if (!this.#less?.has(name)) yield name
    yield* this.#more
  }

  /** Takes a set that others have as its base, where it has become too different from the one it has. @param base must not change any more */
  settle(base: Names | undefined): void {
    if (this.#more.size + (this.#less?.size ?? 0) < this.#lookAt) return
    if (base) {
      const more = new Set<string>()
      for (const name of this) if (!base.has(name)) more.add(name)
      const missing = base.size - (this.size - more.size)
      if (more.size + missing < this.size / 2) {
        const less = missing > 0 ? new Set([...base.keys()].filter((name) => !this.has(name))) : undefined
        this.#base = base
        this.#more = more
        this.#less = less
      }
    }
    this.#lookAt = Math.max(FEW, 2 * (this.#more.size + (this.#less?.size ?? 0)))
  }
}

/** The same for what is held under names. Values of the same version are the same. */
export class OverlayMap<V extends Versioned> {
  #base: ReadonlyMap<string, V> = NOTHING
  #own: Map<string, V> = new Map()
  #less: Set<string> | undefined
  /** How many of `#own` are in `#base` as well. */
  #hidden = 0
  #lookAt = FEW

  get size(): number {
    return this.#base.size - (this.#less?.size ?? 0) - this.#hidden + this.#own.size
  }

  get(name: string): V | undefined {
    return this.#own.get(name) ?? (this.#less?.has(name) ? undefined : this.#base.get(name))
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: V): void {
    this.#less?.delete(name)
    if (!this.#own.has(name) && this.#base.has(name)) this.#hidden++
    this.#own.set(name, value)
  }

  delete(name: string): void {
    const inBase = this.#base.has(name)
    if (this.#own.delete(name) && inBase) this.#hidden--
    if (inBase) this.#less = (this.#less ?? new Set()).add(name)
  }

  *keys(): Generator<string> {
    for (const [name] of this) yield name
  }

  *[Symbol.iterator](): Generator<[string, V]> {
    for (const [name, value] of this.#base) if (!this.#own.has(name) && !this.#less?.has(name)) yield [name, value]
    yield* this.#own
  }

  /** As of OverlaySet. */
  settle(base: ReadonlyMap<string, V> | undefined): void {
    if (this.#own.size + (this.#less?.size ?? 0) < this.#lookAt) return
    if (base) {
      const own = new Map<string, V>()
      let [shared, hidden] = [0, 0]
      for (const [name, value] of this) {
        const other = base.get(name)
        if (other?.version === value.version) {
          shared++
          continue
        }
        own.set(name, value)
        if (other) hidden++
      }
      const missing = base.size - shared - hidden
      if (own.size + missing < this.size / 2) {
        const less = missing > 0 ? new Set([...base.keys()].filter((name) => !this.has(name))) : undefined
        this.#base = base
        this.#own = own
        this.#less = less
        this.#hidden = hidden
      }
    }
    this.#lookAt = Math.max(FEW, 2 * (this.#own.size + (this.#less?.size ?? 0)))
  }
}
