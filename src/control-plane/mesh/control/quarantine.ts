import { compareOrigins } from '../../../policy/traffic/gateway-api/index.ts'
import { originName, type Origin } from '../../../policy/traffic/model/index.ts'
import type { ClientKind } from '../xds/index.ts'

/** Why an object is not carried out by clients of a kind. */
export interface Refused {
  readonly kind: ClientKind
  readonly reason: string
}

interface Known {
  readonly origin: Origin
  /** Of the world in which this generation was seen first. */
  readonly since: number
}

interface LeftOut extends Refused {
  /** Others are as likely to be what was refused. */
  readonly isGuess: boolean
}

const NONE: ReadonlySet<string> = new Set()

/**
 * Policies and routes that clients have refused, by kind of client: what is told to one kind is not what another is told. One that is found is left out until
 * it changes. What was refused may come from several objects: the one that came last is then taken for it, and of several that came together one after the
 * other is left out, youngest first, until what remains is taken. Where all were tried in vain none is left out: clients keep what they took before. Pure.
 */
export class Quarantine {
  #known: ReadonlyMap<string, Known> = new Map()
  #worlds = 0
  /** By name of the object. */
  readonly #leftOut = new Map<ClientKind, Map<string, LeftOut>>()
  /** Left out in vain. */
  readonly #innocent = new Map<ClientKind, Set<string>>()
  readonly #names = new Map<ClientKind, ReadonlySet<string>>()

  /** The policies and routes that there are now. Those that have changed get another chance. */
  observe(origins: Iterable<Origin>): void {
    this.#worlds++
    const known = new Map<string, Known>()
    for (const origin of origins) {
      if (origin.uid === undefined) continue
      const before = this.#known.get(originName(origin))
      known.set(originName(origin), before && isSame(before.origin, origin) ? before : { origin, since: this.#worlds })
    }
    const before = this.#known
    this.#known = known
    const isKept = (name: string): boolean => known.get(name) !== undefined && known.get(name) === before.get(name)
    for (const [kind, list] of this.#leftOut) {
      for (const name of list.keys()) if (!isKept(name)) this.#release(kind, name)
    }
    for (const names of this.#innocent.values()) for (const name of names) if (!isKept(name)) names.delete(name)
  }

  /** Clients of a kind have refused what comes from these objects, as they are now. @returns whether what is left out has changed */
  refused(origins: readonly Origin[], kind: ClientKind, reason: string): boolean {
    const written = origins.filter((origin) => {
      const known = this.#known.get(originName(origin))
      return known !== undefined && isSame(known.origin, origin)
    })
    const list = this.#leftOut.get(kind)
    let isReleased = false
    for (const origin of written) {
      const name = originName(origin)
      if (!list?.get(name)?.isGuess) continue
      // what is told without it is refused as well
      this.#release(kind, name)
      this.#innocentOf(kind).add(name)
      isReleased = true
    }
    const suspects = written.filter((origin) => !this.#leftOut.get(kind)?.has(originName(origin)))
    const latest = Math.max(...suspects.map((origin) => this.#sinceOf(origin)))
    const last = suspects.filter((origin) => this.#sinceOf(origin) === latest)
    const [next] = last.filter((origin) => !this.#innocentOf(kind).has(originName(origin))).sort((a, b) => compareOrigins(b, a))
    if (!next) return isReleased
    this.#put(kind, originName(next), { kind, reason, isGuess: last.length > 1 })
    return true
  }

  /** Names of what is left out for a kind: the same set as long as it stays the same. */
  namesFor(kind: ClientKind): ReadonlySet<string> {
    const list = this.#leftOut.get(kind)
    if (!list || list.size === 0) return NONE
    let names = this.#names.get(kind)
    if (!names) this.#names.set(kind, (names = new Set(list.keys())))
    return names
  }

  /** For which kinds an object is left out, and what their clients said. */
  of(origin: Origin): readonly Refused[] {
    const name = originName(origin)
    return [...this.#leftOut.values()].flatMap((list) => {
      const found = list.get(name)
      return found ? [{ kind: found.kind, reason: found.reason }] : []
    })
  }

  /** Objects that are left out, for all kinds together. */
  get size(): number {
    return new Set([...this.#leftOut.values()].flatMap((list) => [...list.keys()])).size
  }

  #sinceOf(origin: Origin): number {
    return this.#known.get(originName(origin))?.since ?? 0
  }

  #innocentOf(kind: ClientKind): Set<string> {
    let names = this.#innocent.get(kind)
    if (!names) this.#innocent.set(kind, (names = new Set()))
    return names
  }

  #put(kind: ClientKind, name: string, entry: LeftOut): void {
    const list = this.#leftOut.get(kind)
    if (list) list.set(name, entry)
    else this.#leftOut.set(kind, new Map([[name, entry]]))
    this.#names.delete(kind)
  }

  #release(kind: ClientKind, name: string): void {
    this.#leftOut.get(kind)?.delete(name)
    this.#names.delete(kind)
  }
}

const isSame = (a: Origin, b: Origin): boolean => a.uid === b.uid && a.generation === b.generation
