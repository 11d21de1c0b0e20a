import {
  type BestPathCandidate,
  type BestPathOptions,
  emptyCandidate,
  isEqualCost,
  selectBestPath,
} from '../../../policy/route/best-path.ts'
import { ATTRIBUTE_BITS, type AttributeStore } from './attribute-store.ts'
import { AttributeFacts } from '../../../protocols/bgp/attribute-block.ts'
import type { NextHopTable } from './next-hop-table.ts'
import { LOCAL_PEER, type RibPeer } from './rib-peer.ts'
import type { RouteTable } from './route-table.ts'

export interface DecisionContext {
  readonly attributes: AttributeStore
  readonly nextHops: NextHopTable
  readonly peers: readonly (RibPeer | undefined)[]
  readonly options: BestPathOptions
  readonly maximumPaths: number
  readonly multipathRelax: boolean
}

/** Selects best paths over a table: loads the candidates of a prefix into reused objects and lets `selectBestPath` decide. */
export class Decision {
  readonly #context: DecisionContext
  readonly #candidates: BestPathCandidate[] = []
  /** Path of each candidate loaded last. */
  readonly #paths: number[] = []
  readonly #facts = [new AttributeFacts(), new AttributeFacts()] as const

  constructor(context: DecisionContext) {
    this.#context = context
  }

  /** Whether a path takes part: accepted, its next hop reachable, and not left over from a session that is gone. */
  isEligible(table: RouteTable, path: number): boolean {
    const attributes = table.accepted[path] as number
    if (attributes < 0) return false
    const handle = table.peer[path] as number
    if (handle !== LOCAL_PEER) {
      const family = (this.#context.peers[handle] as RibPeer).families[table.family]
      if (table.epoch[path] !== family.epoch && !family.keepsStale) return false
    }
    const hop = this.#context.attributes.nextHop[attributes] as number
    return this.#context.nextHops.get(hop).metric >= 0
  }

  /** @returns the best path of a prefix, -1 when none is eligible */
  select(table: RouteTable, prefix: number): number {
    let only = -1
    let count = 0
    for (let path = table.first[prefix] as number; path >= 0; path = table.next[path] as number) {
      if (!this.isEligible(table, path)) continue
      if (count === 1) this.#load(table, only, 0)
      if (count >= 1) this.#load(table, path, count)
      only = path
      count++
    }
    if (count <= 1) return only
    const best = selectBestPath(this.#candidates, count, this.#context.options)
    return this.#paths[best] as number
  }

  /** Candidates with where they lost, for explanations and multipath. Valid until the next call. */
  judged(
    table: RouteTable,
    prefix: number,
  ): { readonly paths: readonly number[]; readonly candidates: readonly BestPathCandidate[]; readonly best: number } {
    let count = 0
    for (let path = table.first[prefix] as number; path >= 0; path = table.next[path] as number) {
      if (this.isEligible(table, path)) this.#load(table, path, count++)
    }
    const best = selectBestPath(this.#candidates, count, this.#context.options)
    return { paths: this.#paths.slice(0, count), candidates: this.#candidates.slice(0, count), best }
  }

  /** The best path and its equal-cost companions, best first, at most `maximumPaths`. Empty without an eligible path. */
  multipath(table: RouteTable, prefix: number): number[] {
    const { maximumPaths, multipathRelax } = this.#context
    const best = table.best[prefix] as number
    if (best < 0) return []
    const first = table.first[prefix] as number
    if (maximumPaths <= 1 || (table.next[first] as number) < 0) return [best]
    const judged = this.judged(table, prefix)
    const winner = judged.candidates[judged.best]
    if (!winner) return []
    const others = judged.paths
      .map((path, i) => ({ path, candidate: judged.candidates[i] as BestPathCandidate }))
      .filter(({ candidate }) => candidate !== winner && isEqualCost(candidate, winner))
      .filter(({ path }) => multipathRelax || this.#sameAsPath(table, path, judged.paths[judged.best] as number))
      .sort(
        (a, b) =>
          a.candidate.routerId - b.candidate.routerId ||
          a.candidate.peerRank - b.candidate.peerRank ||
          a.candidate.pathId - b.candidate.pathId,
      )
    return [judged.paths[judged.best] as number, ...others.map(({ path }) => path)].slice(0, maximumPaths)
  }

  #sameAsPath(table: RouteTable, a: number, b: number): boolean {
    const { attributes } = this.#context
    const x = attributes.load(table.accepted[a] as number, this.#facts[0])
    const y = attributes.load(table.accepted[b] as number, this.#facts[1])
    if (x.asPathBytes !== y.asPathBytes) return false
    for (let i = 0; i < x.asPathBytes; i++) if (x.bytes[x.asPathOffset + i] !== y.bytes[y.asPathOffset + i]) return false
    return true
  }

  #load(table: RouteTable, path: number, index: number): void {
    const { attributes, nextHops, peers } = this.#context
    if (index === this.#candidates.length) this.#candidates.push(emptyCandidate())
    const out = this.#candidates[index] as BestPathCandidate
    this.#paths[index] = path
    const id = table.accepted[path] as number
    const handle = table.peer[path] as number
    const peer = peers[handle]
    out.local = handle === LOCAL_PEER
    out.localPreference = attributes.localPreference[id] as number
    out.asPathLength = attributes.asPathLength[id] as number
    out.origin = attributes.origin[id] as number
    out.med = attributes.med[id] as number
    out.hasMed = ((attributes.flags[id] as number) & ATTRIBUTE_BITS.hasMed) !== 0
    out.neighbourAs = attributes.neighbourAs[id] as number
    out.external = peer?.external ?? false
    out.igpMetric = nextHops.get(attributes.nextHop[id] as number).metric
    out.age = table.age[path] as number
    const originator = attributes.originatorId[id] as number
    out.routerId = originator !== 0 ? originator : (peer?.session?.remoteRouterId ?? 0)
    out.clusterListLength = attributes.clusterListLength[id] as number
    out.peerRank = peer?.rank ?? 0
    out.pathId = table.pathId[path] as number
  }
}
