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
  /** Counts changes of the above; goes on where another next hop had the number before. */
  version: number
  /** Attribute sets that have it. */
  references: number
}

/** Next hops by number, resolved once and forgotten with the last attribute set that has them: a peer can think of many. */
export class NextHopTable {
  readonly #resolver: NextHopResolver
  readonly #ids = new Map<string, number>()
  readonly #all: NextHop[] = [{ bytes: new Uint8Array(0), metric: 0, via: undefined, version: 0, references: 1 }]
  readonly #free: number[] = []

  constructor(resolver: NextHopResolver) {
    this.#resolver = resolver
    this.#ids.set('', 0)
  }

  /** Number of next hops. */
  get size(): number {
    return this.#ids.size - 1
  }

  /** @returns its number, with one more reference */
  retain(bytes: Uint8Array, offset: number, length: number): number {
    const key = keyOf(bytes, offset, length)
    const known = this.#ids.get(key)
    if (known !== undefined) {
      this.get(known).references++
      return known
    }
    const id = this.#free.pop() ?? this.#all.length
    const version = (this.#all[id]?.version ?? -1) + 1
    const hop: NextHop = { bytes: bytes.slice(offset, offset + length), metric: -1, via: undefined, version, references: 1 }
    this.#resolve(hop)
    this.#all[id] = hop
    this.#ids.set(key, id)
    return id
  }

  release(id: number): void {
    const hop = this.get(id)
    if (--hop.references > 0 || id === 0) return
    this.#ids.delete(keyOf(hop.bytes, 0, hop.bytes.length))
    this.#free.push(id)
  }

  get(id: number): NextHop {
    return this.#all[id] as NextHop
  }

  /** Asks anew for all. @returns whether one changed */
  refresh(): boolean {
    let changed = false
    for (const hop of this.#all) if (hop.bytes.length > 0 && hop.references > 0) changed = this.#resolve(hop) || changed
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

function keyOf(bytes: Uint8Array, offset: number, length: number): string {
  let key = ''
  for (let i = 0; i < length; i++) key += String.fromCharCode(bytes[offset + i] as number)
  return key
}

function sameWays(a: readonly FibNextHop[] | undefined, b: readonly FibNextHop[] | undefined): boolean {
  const text = (ways: readonly FibNextHop[] | undefined): string =>
    (ways ?? []).map((way) => [way.gateway?.join('.'), way.device, way.weight, way.onLink].join()).join(' ')
  return a === b || text(a) === text(b)
}
