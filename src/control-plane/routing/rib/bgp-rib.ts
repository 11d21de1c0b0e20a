import { compareIp, type IpPrefix } from '../../../base/ip.ts'
import type { FibRoute } from '../../../policy/route/fib-route.ts'
import type { RouteSource } from '../../../policy/route/route-policy.ts'
import { encodeBlock } from '../../../protocols/bgp/attributes.ts'
import type { Family } from '../../../protocols/bgp/message.ts'
import { BackgroundWork } from './background-work.ts'
import type {
  LocalRoute,
  PeerCounters,
  PeerHandle,
  Rib,
  RibCounters,
  RibOptions,
  RibPeerOptions,
  RouteExplanation,
  SessionParameters,
  UpdateOutcome,
} from './contract.ts'
import { Exporter, SOURCES } from './exporter.ts'
import { RouteExplainer } from './explain-route.ts'
import { ExportWriter } from './export-writer.ts'
import { FibFeed } from './fib-feed.ts'
import { Importer } from './importer.ts'
import { PrefixTable } from './prefix-table.ts'
import { RibPeer } from './rib-peer.ts'
import { createRibState, FAMILIES, type RibState } from './rib-state.ts'
import { RouteChanges } from './route-changes.ts'
import type { RouteTable } from './route-table.ts'
import { UpdateIntake } from './update-intake.ts'

/** Peers that fit the column of paths. */
const MAX_PEERS = 65535

/** @throws {RangeError} from its `addPeer` beyond 65534 peers */
export function createRib(options: RibOptions): Rib {
  return new BgpRib(options)
}

class BgpRib implements Rib {
  readonly #state: RibState
  readonly #changes: RouteChanges
  readonly #intake: UpdateIntake
  readonly #writer: ExportWriter
  readonly #work: BackgroundWork
  readonly #fib: FibFeed
  readonly #explainer: RouteExplainer

  constructor(options: RibOptions) {
    const state = createRibState(options)
    this.#state = state
    this.#changes = new RouteChanges(state)
    const importer = new Importer(state.attributes, state.identity)
    const exporter = new Exporter(state.attributes, state.identity, state.peers)
    this.#intake = new UpdateIntake(state, this.#changes, importer)
    this.#writer = new ExportWriter(state, this.#changes, exporter)
    this.#work = new BackgroundWork(state, this.#changes, importer)
    this.#fib = new FibFeed(state, this.#changes, options.metrics)
    this.#explainer = new RouteExplainer(state, importer, exporter, this.#fib)
  }

  addPeer(options: RibPeerOptions): PeerHandle {
    const { peers } = this.#state
    let handle = peers.indexOf(undefined, 1)
    if (handle < 0) handle = peers.length
    if (handle >= MAX_PEERS) throw new RangeError(`a router has at most ${MAX_PEERS - 1} peers`)
    peers[handle] = new RibPeer(handle, options)
    this.#rank()
    return handle
  }

  configurePeer(handle: PeerHandle, options: RibPeerOptions): void {
    const peer = this.#peer(handle)
    const before = peer.options
    peer.options = options
    this.#rank()
    this.#changes.peersChanged()
    if (judgesDifferently(before, options)) for (const family of FAMILIES) this.#work.rejudge(peer, family)
    // whether a peer is a client decides what others are told as well
    const all = before.routeReflectorClient !== options.routeReflectorClient
    if (!all && !tellsDifferently(before, options)) return
    for (const one of all ? this.#state.peers : [peer]) if (one?.up) for (const family of FAMILIES) this.#queueAll(one, family, 1)
  }

  removePeer(handle: PeerHandle): void {
    const peer = this.#peer(handle)
    peer.removed = true
    this.peerDown(handle)
    for (const family of FAMILIES) this.#work.sweep(peer, family)
  }

  peerUp(handle: PeerHandle, session: SessionParameters): void {
    const peer = this.#peer(handle)
    if (peer.up) this.peerDown(handle)
    peer.session = session
    peer.up = true
    peer.told = false
    peer.exportsHeld = session.deferExports ?? false
    this.#changes.peersChanged()
    for (const family of FAMILIES) {
      const side = peer.families[family]
      side.disabled = false
      if (side.keepsStale && !session.keepStale?.includes(family)) this.sweepStale(handle, [family])
      if (!session.families.includes(family)) continue
      if (peer.exports(family)) this.#queueAll(peer, family, 1)
      side.endOfRibAfter = side.queue.length
    }
    this.#changes.tellExports(peer)
  }

  peerDown(handle: PeerHandle, keepStale: readonly Family[] = []): void {
    const peer = this.#peer(handle)
    const wasUp = peer.up
    peer.up = false
    peer.told = false
    this.#changes.peersChanged()
    for (const family of FAMILIES) {
      const side = peer.families[family]
      const queued = side.queue
      if (wasUp) this.#nextEpoch(peer, family)
      side.keepsStale = keepStale.includes(family) && side.received > 0
      this.#work.release(family, side.dropAdvertised())
      side.endOfRibAfter = side.endOfRefreshAfter = -1
      side.beginOfRefresh = false
      this.#clearQueue(queued, family)
      if (!side.keepsStale && side.received > 0) this.#work.sweep(peer, family)
    }
  }

  sweepStale(handle: PeerHandle, families: readonly Family[] = FAMILIES): void {
    const peer = this.#peer(handle)
    for (const family of families) {
      const side = peer.families[family]
      side.keepsStale = false
      if (side.stale > 0) this.#work.sweep(peer, family)
    }
  }

  markStale(handle: PeerHandle, family: Family): void {
    const peer = this.#peer(handle)
    const side = peer.families[family]
    // what came since is as fresh as what follows; and before End-of-RIB after a restart it counts for nothing (RFC 7313 section 4)
    if (side.keepsStale) return
    this.#nextEpoch(peer, family)
    side.keepsStale = true
  }

  update(handle: PeerHandle, body: Uint8Array): UpdateOutcome {
    const peer = this.#peer(handle)
    if (!peer.up) throw new Error(`the session with ${peer.options.name} is not up`)
    const outcome = this.#intake.update(peer, body)
    const { disabledFamily, endOfRib } = outcome
    if (disabledFamily !== undefined) {
      const side = peer.families[disabledFamily]
      side.disabled = true
      side.nextEpoch()
      this.sweepStale(handle, [disabledFamily])
    }
    if (endOfRib !== undefined && peer.families[endOfRib].keepsStale) this.sweepStale(handle, [endOfRib])
    return outcome
  }

  refresh(handle: PeerHandle, family: Family, enhanced: boolean): void {
    const peer = this.#peer(handle)
    if (!peer.up) return
    const side = peer.families[family]
    this.#queueAll(peer, family, 2)
    if (!enhanced) return
    side.beginOfRefresh = true
    side.endOfRefreshAfter = side.queue.length
    this.#changes.tellExports(peer)
  }

  releaseExports(handle: PeerHandle): void {
    const peer = this.#peer(handle)
    if (!peer.exportsHeld) return
    peer.exportsHeld = false
    // what was learned while holding back belongs to the initial routes
    for (const family of peer.session?.families ?? []) {
      const side = peer.families[family]
      if (side.endOfRibAfter >= 0) side.endOfRibAfter = side.queue.length
    }
    if (peer.up) this.#changes.tellExports(peer)
  }

  takeExports(handle: PeerHandle, maxBytes: number): Uint8Array | undefined {
    return this.#writer.take(this.#peer(handle), maxBytes)
  }

  work(budgetMs: number, now: () => number): boolean {
    return this.#work.run(budgetMs, now)
  }

  originate({ prefix, source, attributes = {} }: LocalRoute): void {
    const table = this.#state.tables[prefix.family]
    const block = encodeBlock({ origin: 0, asPath: [], ...attributes })
    const set = this.#state.attributes.intern(block, 0, block.length)
    const id = table.addPrefix(...PrefixTable.words(prefix), prefix.length)
    this.#changes.originate(table, id, SOURCES.indexOf(source), set)
    this.#state.attributes.collect()
  }

  withdraw(prefix: IpPrefix, source: RouteSource): void {
    const table = this.#state.tables[prefix.family]
    const id = this.#find(prefix)
    if (id >= 0) this.#changes.withdrawLocal(table, id, SOURCES.indexOf(source))
    this.#state.attributes.collect()
  }

  nextHopsChanged(): void {
    if (!this.#state.nextHops.refresh()) return
    for (const family of FAMILIES) this.#work.decideAll(family)
  }

  useFib(used: boolean): void {
    this.#changes.useFib(used)
    if (!used) this.#fib.forget()
  }

  takeFibChanges(max: number): { readonly add: readonly FibRoute[]; readonly remove: readonly FibRoute[] } | undefined {
    return this.#fib.take(max)
  }

  fibRoutes(): Iterable<FibRoute> {
    return this.#fib.all()
  }

  explain(prefix: IpPrefix): RouteExplanation | undefined {
    const id = this.#find(prefix)
    const explanation = id < 0 ? undefined : this.#explainer.explain(this.#state.tables[prefix.family], id)
    // questions make attribute sets that nobody keeps
    this.#state.attributes.collect()
    return explanation
  }

  list(family: Family, offset: number, limit: number): readonly IpPrefix[] {
    const { prefixes, best } = this.#state.tables[family]
    const out: IpPrefix[] = []
    let skip = offset
    for (let id = 0; id < prefixes.high && out.length < limit; id++) {
      if (prefixes.isUsed(id) && (best[id] as number) >= 0 && skip-- <= 0) out.push(prefixes.toPrefix(id))
    }
    return out
  }

  peerCounters(handle: PeerHandle): PeerCounters {
    const peer = this.#peer(handle)
    const { updatesIn, updatesOut, announcementsIn, withdrawalsIn } = peer
    const of = (key: 'received' | 'accepted' | 'stale' | 'advertisedCount'): Record<Family, number> => ({
      4: peer.families[4][key],
      6: peer.families[6][key],
    })
    return {
      received: of('received'),
      accepted: of('accepted'),
      stale: of('stale'),
      advertised: of('advertisedCount'),
      updatesIn,
      updatesOut,
      announcementsIn,
      withdrawalsIn,
      exportsPending: peer.families[4].queue.length + peer.families[6].queue.length,
    }
  }

  counters(): RibCounters {
    const { tables, attributes, nextHops, peers, counters } = this.#state
    const sides = peers.flatMap((peer) => (peer ? [peer.families[4], peer.families[6]] : []))
    return {
      prefixes: { 4: tables[4].prefixes.size, 6: tables[6].prefixes.size },
      paths: tables[4].paths + tables[6].paths,
      attributeSets: attributes.size,
      nextHops: nextHops.size,
      nextHopSets: this.#fib.size,
      ...counters,
      memoryBytes: attributes.bytes + tables[4].bytes + tables[6].bytes + sides.reduce((sum, side) => sum + side.bytes, 0),
    }
  }

  #peer(handle: PeerHandle): RibPeer {
    const peer = this.#state.peers[handle]
    if (!peer) throw new Error(`there is no peer ${handle}`)
    return peer
  }

  /** All that is held becomes stale. What was so before is not kept once more (RFC 4724 section 4.2). */
  #nextEpoch(peer: RibPeer, family: Family): void {
    const side = peer.families[family]
    const { epoch, stale } = side
    side.nextEpoch()
    if (stale > 0) this.#work.sweep(peer, family, epoch)
    else this.#work.cancelSweep(peer, family)
  }

  #find(prefix: IpPrefix): number {
    return this.#state.tables[prefix.family].prefixes.find(...PrefixTable.words(prefix), prefix.length)
  }

  #rank(): void {
    const peers = this.#state.peers.filter((peer) => peer !== undefined)
    peers.sort((a, b) => compareIp(a.options.address, b.options.address))
    for (const [rank, peer] of peers.entries()) peer.rank = rank
  }

  /** Queues all that has a best path or was advertised. */
  #queueAll(peer: RibPeer, family: Family, mark: 1 | 2): void {
    const table: RouteTable = this.#state.tables[family]
    const side = peer.families[family]
    side.queue.reserve(table.prefixes.high)
    for (let prefix = 0; prefix < table.prefixes.high; prefix++) {
      if ((table.best[prefix] as number) >= 0 || side.advertised(prefix) >= 0) side.queue.push(prefix, mark)
    }
    if (side.queue.length > 0) this.#changes.tellExports(peer)
  }

  /** Prefixes that only waited for their withdrawal are given back. */
  #clearQueue(queue: RibPeer['families'][4]['queue'], family: Family): void {
    const table = this.#state.tables[family]
    while (queue.length > 0) {
      const prefix = queue.pop()
      if ((table.first[prefix] as number) < 0) this.#changes.releasePrefix(table, prefix)
    }
    queue.clear()
  }
}

function tellsDifferently(a: RibPeerOptions, b: RibPeerOptions): boolean {
  return (
    a.exportPolicy !== b.exportPolicy ||
    a.allowWithoutPolicy !== b.allowWithoutPolicy ||
    a.gracefulShutdown !== b.gracefulShutdown ||
    a.nextHop !== b.nextHop
  )
}

function judgesDifferently(a: RibPeerOptions, b: RibPeerOptions): boolean {
  return (
    a.importPolicy !== b.importPolicy ||
    a.allowOwnAs !== b.allowOwnAs ||
    a.enforceFirstAs !== b.enforceFirstAs ||
    a.allowWithoutPolicy !== b.allowWithoutPolicy ||
    a.gracefulShutdown !== b.gracefulShutdown
  )
}
