import type { FibNextHop } from '../../../policy/route/fib-route.ts'
import type { NextHopResolver } from './contract.ts'

/** One next hop, shared by all routes that have it. Number 0 is "none": local routes. */
export interface NextHop {
  /** 0, 4, 16 or 32 bytes. */
  readonly bytes: Uint8Array
  /** Interior cost; -1 when it cannot be reached. */
  metric: number
  /** Ways to reach it; absent when it is a neighbour on a link. */
  via: readonly FibNextHop[] | undefined
  /** Counts changes of the above. */
  version: number
}

/**
 * Next hops by number, resolved once. They are few beside routes (one per neighbour, mostly) and are never forgotten.
 */
export class NextHopTable {
  readonly #resolver: NextHopResolver
  readonly #ids = new Map<string, number>()
  readonly #all: NextHop[] = [{ bytes: new Uint8Array(0), metric: 0, via: undefined, version: 0 }]

  constructor(resolver: NextHopResolver) {
    this.#resolver = resolver
    this.#ids.set('', 0)
  }

  intern(bytes: Uint8Array, offset: number, length: number): number {
    let key = ''
    for (let i = 0; i < length; i++) key += String.fromCharCode(bytes[offset + i] as number)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const hop: NextHop = { bytes: bytes.slice(offset, offset + length), metric: -1, via: undefined, version: 0 }
    this.#resolve(hop)
    const id = this.#all.push(hop) - 1
    this.#ids.set(key, id)
    return id
  }

  get(id: number): NextHop {
    return this.#all[id] as NextHop
  }

  /** Asks anew for all. @returns whether one changed */
  refresh(): boolean {
    let changed = false
    for (let id = 1; id < this.#all.length; id++) changed = this.#resolve(this.#all[id] as NextHop) || changed
    return changed
  }

  #resolve(hop: NextHop): boolean {
    const found = this.#resolver.resolve(hop.bytes.subarray(0, Math.min(hop.bytes.length, 16)))
    const metric = found?.metric ?? -1
    // ways are compared by value, so that a resolver may make new lists each time
    const same = metric === hop.metric && sameWays(found?.via, hop.via)
    if (same) return false
    hop.metric = metric
    hop.via = found?.via
    hop.version++
    return true
  }
}

function sameWays(a: readonly FibNextHop[] | undefined, b: readonly FibNextHop[] | undefined): boolean {
  const text = (ways: readonly FibNextHop[] | undefined): string =>
    (ways ?? []).map((way) => [way.gateway?.join('.'), way.device, way.weight, way.onLink].join()).join(' ')
  return a === b || text(a) === text(b)
}
