import type { Importer } from './importer.ts'
import { LOCAL_PEER, type PeerFamily, type RibPeer } from './rib-peer.ts'
import { FAMILIES, type RibState } from './rib-state.ts'
import type { RouteTable } from './route-table.ts'

/** Makes changes to tables and tells everybody who has to look: the only place that adds and removes paths and selects best ones. */
export class RouteChanges {
  readonly #state: RibState
  /** Peers that are sent routes of a family. */
  readonly #exporting: Record<4 | 6, RibPeer[]> = { 4: [], 6: [] }
  #age = 0
  #fibTold = false
  #fibUsed = true

  constructor(state: RibState) {
    this.#state = state
  }

  /** To be called when a session or its policies change. */
  peersChanged(): void {
    for (const family of FAMILIES) this.#exporting[family] = this.#state.peers.filter((peer) => peer?.exports(family)) as RibPeer[]
  }

  /**
   * Adds or replaces a path of a peer.
   *
   * @param importer has begun with `set`
   * @returns false when the peer would have more than `maximum` paths; then nothing changed
   */
  announce(table: RouteTable, peer: RibPeer, prefix: number, pathId: number, set: number, importer: Importer, maximum: number): boolean {
    const side = peer.families[table.family]
    const held = table.findPath(prefix, peer.handle, pathId)
    if (held < 0) {
      if (side.received >= maximum) {
        this.releasePrefix(table, prefix)
        return false
      }
      const path = table.addPath(prefix, peer.handle, pathId)
      table.received[path] = set
      table.age[path] = this.#age++
      table.epoch[path] = side.epoch
      this.#state.attributes.retain(set)
      side.received++
      this.#setAccepted(table, path, side, importer.accept(table, prefix), false)
      this.decide(table, prefix, path)
      return true
    }
    const stale = table.epoch[held] !== side.epoch
    if (stale) {
      table.epoch[held] = side.epoch
      side.stale--
    }
    if (table.received[held] === set) {
      // only a path waiting for the sweeper comes back to life
      if (stale && !side.keepsStale) this.decide(table, prefix, held)
      return true
    }
    this.#state.attributes.retain(set)
    this.#state.attributes.release(table.received[held] as number)
    table.received[held] = set
    table.age[held] = this.#age++
    this.#setAccepted(table, held, side, importer.accept(table, prefix), true)
    this.decide(table, prefix, held)
    return true
  }

  /** Replaces the result of the import policy. @returns whether it changed */
  rejudge(table: RouteTable, peer: RibPeer, prefix: number, path: number, accepted: number): boolean {
    if (table.accepted[path] === accepted) return false
    this.#setAccepted(table, path, peer.families[table.family], accepted, true)
    this.decide(table, prefix, path)
    return true
  }

  /** Removes a path of a peer. */
  withdraw(table: RouteTable, peer: RibPeer, prefix: number, path: number): void {
    const side = peer.families[table.family]
    side.received--
    if (table.epoch[path] !== side.epoch) side.stale--
    if ((table.accepted[path] as number) >= 0) side.accepted--
    this.#remove(table, prefix, path)
  }

  originate(table: RouteTable, prefix: number, source: number, set: number): void {
    const { attributes } = this.#state
    let path = table.findPath(prefix, LOCAL_PEER, source)
    if (path >= 0 && table.accepted[path] === set) return
    attributes.retain(set)
    attributes.retain(set)
    if (path >= 0) {
      attributes.release(table.received[path] as number)
      attributes.release(table.accepted[path] as number)
    } else path = table.addPath(prefix, LOCAL_PEER, source)
    table.received[path] = set
    table.accepted[path] = set
    table.age[path] = this.#age++
    this.decide(table, prefix, path)
  }

  withdrawLocal(table: RouteTable, prefix: number, source: number): void {
    const path = table.findPath(prefix, LOCAL_PEER, source)
    if (path >= 0) this.#remove(table, prefix, path)
  }

  /**
   * Selects the best path anew.
   *
   * @param touched path whose content changed, -1 for none: if it stays the best, peers are told nevertheless
   */
  decide(table: RouteTable, prefix: number, touched: number): void {
    const { decision, counters, maximumPaths } = this.#state
    counters.decisions++
    const before = table.best[prefix] as number
    const after = decision.select(table, prefix)
    if (after === before && after !== touched) {
      if (maximumPaths > 1 && after >= 0) this.fibChanged(table, prefix)
      return
    }
    if (after < 0 && before < 0) return
    table.best[prefix] = after
    counters.bestPathChanges++
    const sender = after < 0 ? -1 : (table.peer[after] as number)
    const exporting = this.#exporting[table.family]
    for (let i = 0; i < exporting.length; i++) {
      const peer = exporting[i] as RibPeer
      const side = peer.families[table.family]
      // nothing to send (what came from a peer is not sent back), and nothing sent before to take back
      if ((after < 0 || peer.handle === sender) && side.advertised(prefix) < 0) continue
      side.queue.push(prefix)
      this.tellExports(peer)
    }
    this.fibChanged(table, prefix)
  }

  useFib(used: boolean): void {
    this.#fibUsed = used
    if (used) return
    for (const family of FAMILIES) {
      const table = this.#state.tables[family]
      table.fibDirty.clear()
      table.fib.fill(0)
      for (let prefix = 0; prefix < table.prefixes.high; prefix++) this.releasePrefix(table, prefix)
    }
  }

  fibChanged(table: RouteTable, prefix: number): void {
    if (!this.#fibUsed) return
    table.fibDirty.push(prefix)
    if (this.#fibTold) return
    this.#fibTold = true
    this.#state.listener.fibPending()
  }

  /** The forwarding changes were taken: tell again. */
  fibTaken(): void {
    this.#fibTold = false
  }

  tellExports(peer: RibPeer): void {
    if (peer.told || peer.exportsHeld) return
    peer.told = true
    this.#state.listener.exportsPending(peer.handle)
  }

  /** Gives back the number of a prefix that nobody needs any more. */
  releasePrefix(table: RouteTable, prefix: number): void {
    if ((table.first[prefix] as number) >= 0 || table.fib[prefix] !== 0 || table.fibDirty.has(prefix)) return
    if (!table.prefixes.isUsed(prefix)) return
    for (const peer of this.#state.peers) {
      const side = peer?.families[table.family]
      if (side && (side.advertised(prefix) >= 0 || side.queue.has(prefix))) return
    }
    table.prefixes.remove(prefix)
  }

  #remove(table: RouteTable, prefix: number, path: number): void {
    const { attributes } = this.#state
    attributes.release(table.received[path] as number)
    if ((table.accepted[path] as number) >= 0) attributes.release(table.accepted[path] as number)
    table.removePath(prefix, path)
    this.decide(table, prefix, -1)
    if ((table.first[prefix] as number) < 0) this.releasePrefix(table, prefix)
  }

  #setAccepted(table: RouteTable, path: number, side: PeerFamily, accepted: number, replaces: boolean): void {
    const { attributes } = this.#state
    if (accepted >= 0) {
      attributes.retain(accepted)
      side.accepted++
    }
    if (replaces && (table.accepted[path] as number) >= 0) {
      attributes.release(table.accepted[path] as number)
      side.accepted--
    }
    table.accepted[path] = accepted
  }
}
