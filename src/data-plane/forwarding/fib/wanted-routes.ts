import type { RouteKey } from './route-key.ts'
import { waySignature, type Way } from './way.ts'

interface SharedWay extends Way {
  readonly signature: string
  uses: number
}

/** The routes that should be there: a map by key, in which routes with the same next hops share them. */
export class WantedRoutes {
  readonly #byKey = new Map<RouteKey, SharedWay>()
  readonly #ways = new Map<string, SharedWay>()
  /** By identity of the caller's next hops: it has few of them too, and to compare them by value takes longer than all else. */
  readonly #seen = new WeakMap<object, SharedWay>()

  get byKey(): ReadonlyMap<RouteKey, Way> {
    return this.#byKey
  }

  /** Each once. */
  ways(): Iterable<Way> {
    return this.#ways.values()
  }

  /** @returns whether that is news */
  set(key: RouteKey, given: Way): boolean {
    const way = this.#shared(given)
    const before = this.#byKey.get(key)
    if (before === way) return false
    way.uses++
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

  #shared(given: Way): SharedWay {
    const known = this.#seen.get(given.nextHops)
    if (known && known.uses > 0 && known.type === given.type && known.source === given.source) return known
    const signature = waySignature(given)
    let way = this.#ways.get(signature)
    if (!way) this.#ways.set(signature, (way = { ...given, signature, uses: 0 }))
    this.#seen.set(given.nextHops, way)
    return way
  }

  #release(way: SharedWay): void {
    if (--way.uses === 0) this.#ways.delete(way.signature)
  }
}
