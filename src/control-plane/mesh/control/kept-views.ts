import { isDeepStrictEqual } from 'node:util'

/** What is made of objects one by one, by their keys: made anew for those that are marked, and the same object as before where it comes out the same. */
export class KeptViews<T> {
  #map = new Map<string, T>()
  #list: readonly T[] = []
  readonly #marked = new Set<string>()

  /** In the order of their keys. */
  get map(): ReadonlyMap<string, T> {
    return this.#map
  }

  /** Of the map; the same array as long as nothing changes. */
  get list(): readonly T[] {
    return this.#list
  }

  /** An object may have come, changed or gone. */
  mark(key: string): void {
    this.#marked.add(key)
  }

  /** @param make undefined: there is none under that key. What throws stays marked. @returns whether anything is different */
  refresh(make: (key: string) => T | undefined): boolean {
    if (this.#marked.size === 0) return false
    let [changed, added] = [false, false]
    const next = new Map(this.#map)
    for (const key of this.#marked) {
      const [view, known] = [make(key), next.get(key)]
      if (view === undefined) {
        changed = next.delete(key) || changed
      } else if (!isDeepStrictEqual(view, known)) {
        changed = true
        added ||= known === undefined
        next.set(key, view)
      }
    }
    this.#marked.clear()
    if (!changed) return false
    // whoever builds it anew has the same order
    this.#map = added ? new Map([...next].sort(([a], [b]) => (a < b ? -1 : 1))) : next
    this.#list = [...this.#map.values()]
    return true
  }
}

/** The new value with those members of the old one that are the same: comparing them again is then cheap. */
export function keepSame<T extends object>(before: T | undefined, after: T): T {
  if (!before) return after
  const members = Object.entries(after).map(([name, value]) => {
    const known: unknown = before[name as keyof T]
    // a map of many is not looked into: its values are compared where they are used
    return [name, !(value instanceof Map && value.size > 100) && isDeepStrictEqual(known, value) ? known : (value as unknown)]
  })
  return Object.fromEntries(members) as T
}
