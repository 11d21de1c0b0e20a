import type { RouteKey } from './route-key.ts'
import { waySignature, type Way } from './way.ts'

/** The routes that should be there: a map by key, in which routes with the same next hops share them. */
export class WantedRoutes {
  readonly #byKey = new Map<RouteKey, Way>()
  readonly #ways = new Map<string, { readonly way: Way; uses: number }>()
  readonly #signatures = new Map<Way, string>()
  /** By identity of the caller's next hops: it has few of them too. */
  readonly #seen = new WeakMap<object, Way>()

  get byKey(): ReadonlyMap<RouteKey, Way> {
    return this.#byKey
  }

  /** Each once. */
  ways(): Iterable<Way> {
    return this.#signatures.keys()
  }

  /** @returns whether that is news */
  set(key: RouteKey, given: Way): boolean {
    const way = this.#shared(given)
    const before = this.#byKey.get(key)
    if (before === way) return false
    const entry = this.#ways.get(this.#signatures.get(way) as string)
    if (entry) entry.uses++
    this.#byKey.set(key, way)
    if (before) this.#release(before)
    return true
  }

  delete(key: RouteKey): boolean {
    const way = this.#byKey.get(key)
    if (!way) return false
    this.#byKey.delete(key)
    this.#release(way)
    return true
  }

  #shared(given: Way): Way {
    const known = this.#seen.get(given.nextHops)
    if (known && known.type === given.type && known.source === given.source && this.#signatures.has(known)) return known
    const signature = waySignature(given)
    let entry = this.#ways.get(signature)
    if (!entry) {
      this.#ways.set(signature, (entry = { way: given, uses: 0 }))
      this.#signatures.set(given, signature)
    }
    this.#seen.set(given.nextHops, entry.way)
    return entry.way
  }

  #release(way: Way): void {
    const signature = this.#signatures.get(way) as string
    const entry = this.#ways.get(signature)
    if (!entry || --entry.uses > 0) return
    this.#ways.delete(signature)
    this.#signatures.delete(way)
  }
}
