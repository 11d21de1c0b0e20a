/** Follows a list of immutable objects: what is new or replaced, and what is gone, since the last look. Costs a map lookup per object. */
export class ListChanges<T extends object> {
  readonly #keyOf: (object: T) => string
  readonly #rows = new Map<T, { readonly key: string; round: number }>()
  readonly #current = new Map<string, T>()
  #round = 0

  constructor(keyOf: (object: T) => string) {
    this.#keyOf = keyOf
  }

  next(list: Iterable<T>): { readonly set: readonly T[]; readonly gone: readonly string[] } {
    const round = ++this.#round
    const set: T[] = []
    let known = 0
    for (const object of list) {
      const row = this.#rows.get(object)
      if (row) {
        if (row.round !== round) known++
        row.round = round
        continue
      }
      const key = this.#keyOf(object)
      this.#rows.set(object, { key, round })
      this.#current.set(key, object)
      known++
      set.push(object)
    }
    const gone: string[] = []
    if (known === this.#rows.size) return { set, gone }
    for (const [object, { key, round: seen }] of this.#rows) {
      if (seen === round) continue
      this.#rows.delete(object)
      if (this.#current.get(key) !== object) continue
      this.#current.delete(key)
      gone.push(key)
    }
    return { set, gone }
  }
}
