import type { FibNextHop, FibRoute } from '../../../policy/route/fib-route.ts'
import { sourceOf } from './exporter.ts'
import { LOCAL_PEER } from './rib-peer.ts'
import { FAMILIES, type RibState } from './rib-state.ts'
import type { RouteChanges } from './route-changes.ts'
import type { RouteTable } from './route-table.ts'

/** Kernel priorities, from the administrative distances of the field. */
export const DEFAULT_METRICS = { ebgp: 20, ibgp: 200, local: 1 } as const

/** Next hops of routes, shared by all that have the same. */
interface FibEntry {
  readonly key: string
  readonly nextHops: readonly FibNextHop[]
  readonly metric: number
  /** Routes that have it. */
  references: number
}

/** What the forwarding table is told: best paths and their companions, as changes against what it was told before. */
export class FibFeed {
  readonly #state: RibState
  readonly #changes: RouteChanges
  readonly #metrics: Readonly<Record<'ebgp' | 'ibgp' | 'local', number>>
  /** By number; 0 is "no route". */
  readonly #entries: (FibEntry | undefined)[] = [undefined]
  readonly #ids = new Map<string, number>()
  readonly #free: number[] = []

  constructor(state: RibState, changes: RouteChanges, metrics: Partial<Record<'ebgp' | 'ibgp' | 'local', number>> | undefined) {
    this.#state = state
    this.#changes = changes
    this.#metrics = { ...DEFAULT_METRICS, ...metrics }
  }

  /** Number of different next hops of routes. */
  get size(): number {
    return this.#ids.size
  }

  /** The forwarding table was told nothing. */
  forget(): void {
    this.#entries.length = 1
    this.#free.length = 0
    this.#ids.clear()
  }

  take(max: number): { add: FibRoute[]; remove: FibRoute[] } | undefined {
    const add: FibRoute[] = []
    const remove: FibRoute[] = []
    for (const family of FAMILIES) {
      const table = this.#state.tables[family]
      while (table.fibDirty.length > 0 && add.length + remove.length < max) this.#settle(table, table.fibDirty.pop(), add, remove)
    }
    if (FAMILIES.every((family) => this.#state.tables[family].fibDirty.length === 0)) this.#changes.fibTaken()
    return add.length + remove.length === 0 ? undefined : { add, remove }
  }

  *all(): Iterable<FibRoute> {
    for (const family of FAMILIES) {
      const table = this.#state.tables[family]
      for (let prefix = 0; prefix < table.prefixes.high; prefix++) {
        if (!table.prefixes.isUsed(prefix)) continue
        this.#assign(table, prefix, this.#entryOf(table, prefix))
        const route = this.told(table, prefix)
        if (route) yield route
      }
    }
  }

  /** What the forwarding table was told of a prefix last. */
  told(table: RouteTable, prefix: number): FibRoute | undefined {
    return this.#route(table, prefix, table.fib[prefix] as number)
  }

  #settle(table: RouteTable, prefix: number, add: FibRoute[], remove: FibRoute[]): void {
    const before = table.fib[prefix] as number
    const after = this.#entryOf(table, prefix)
    if (after !== before) {
      const old = this.#route(table, prefix, before)
      const now = this.#route(table, prefix, after)
      if (now) add.push(now)
      // the metric is part of a route's identity in the kernel
      if (old && old.metric !== now?.metric) remove.push(old)
      this.#assign(table, prefix, after)
    }
    if ((table.first[prefix] as number) < 0) this.#changes.releasePrefix(table, prefix)
  }

  #assign(table: RouteTable, prefix: number, after: number): void {
    const before = table.fib[prefix] as number
    if (after === before) return
    table.fib[prefix] = after
    const next = this.#entries[after]
    if (next) next.references++
    const last = this.#entries[before]
    if (!last || --last.references > 0) return
    this.#entries[before] = undefined
    this.#ids.delete(last.key)
    this.#free.push(before)
  }

  #route(table: RouteTable, prefix: number, entry: number): FibRoute | undefined {
    const found = this.#entries[entry]
    return found && { prefix: table.prefixes.toPrefix(prefix), nextHops: found.nextHops, metric: found.metric }
  }

  #entryOf(table: RouteTable, prefix: number): number {
    const { attributes, nextHops, peers, decision } = this.#state
    const best = table.best[prefix] as number
    if (best < 0) return 0
    const handle = table.peer[best] as number
    // pod ranges, addresses and connected networks are others' to route
    if (handle === LOCAL_PEER && sourceOf(table, best) !== 'Static') return 0
    const kind = handle === LOCAL_PEER ? 'local' : peers[handle]?.external ? 'ebgp' : 'ibgp'
    const paths = decision.multipath(table, prefix)
    let key: string = kind
    for (const path of paths) {
      const id = attributes.nextHop[table.accepted[path] as number] as number
      key += ` ${id}.${nextHops.get(id).version}`
    }
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const ways = paths.flatMap((path) => this.#ways(attributes.nextHop[table.accepted[path] as number] as number))
    if (ways.length === 0) return 0
    const entry = this.#free.pop() ?? this.#entries.length
    this.#entries[entry] = { key, nextHops: unique(ways), metric: this.#metrics[kind], references: 0 }
    this.#ids.set(key, entry)
    return entry
  }

  #ways(hop: number): readonly FibNextHop[] {
    const { bytes, via } = this.#state.nextHops.get(hop)
    if (via) return via
    return bytes.length === 0 ? [] : [{ gateway: bytes.slice(0, Math.min(bytes.length, 16)) }]
  }
}

function unique(ways: readonly FibNextHop[]): readonly FibNextHop[] {
  const seen = new Set<string>()
  return ways.filter(({ gateway, device }) => {
    const key = `${gateway?.join('.')} ${device}`
    return !seen.has(key) && seen.add(key)
  })
}
