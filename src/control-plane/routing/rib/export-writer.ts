import type { Family } from '../../../protocols/bgp/message.ts'
import { afiOf } from '../../../protocols/bgp/message.ts'
import { encodeRouteRefresh } from '../../../protocols/bgp/small-messages.ts'
import { encodeEndOfRib } from '../../../protocols/bgp/update.ts'
import type { SessionParameters } from './contract.ts'
import type { Exporter } from './exporter.ts'
import type { PeerFamily, RibPeer } from './rib-peer.ts'
import { FAMILIES, type RibState } from './rib-state.ts'
import type { RouteChanges } from './route-changes.ts'
import { UpdatePacker } from './update-packer.ts'

/**
 * Prefixes looked at in one call: those that share attributes share messages, and it takes but some milliseconds, also when a new policy changes little and
 * nothing is to be sent.
 */
const BATCH = 2048

/** Turns queued prefixes into messages, and keeps Adj-RIB-Out. */
export class ExportWriter {
  readonly #state: RibState
  readonly #changes: RouteChanges
  readonly #exporter: Exporter
  readonly #packer = new UpdatePacker()

  readonly #prefix = new Int32Array(BATCH)
  /** Next prefix of the same group, by position. */
  readonly #next = new Int32Array(BATCH)
  readonly #groupSet = new Int32Array(BATCH)
  readonly #groupFirst = new Int32Array(BATCH)
  readonly #groupLast = new Int32Array(BATCH)
  /** Attribute set -> group plus 1, open addressing. */
  readonly #slots = new Int32Array(4 * BATCH)
  readonly #withdrawn = new Int32Array(BATCH)

  constructor(state: RibState, changes: RouteChanges, exporter: Exporter) {
    this.#state = state
    this.#changes = changes
    this.#exporter = exporter
  }

  take(peer: RibPeer, maxBytes: number): Uint8Array | undefined {
    if (!peer.up || peer.exportsHeld) return undefined
    const packer = this.#packer
    packer.begin(peer.session as SessionParameters)
    this.#exporter.begin(peer)
    let left = BATCH
    for (const family of (peer.session as SessionParameters).families) {
      while (packer.length < maxBytes && left > 0 && this.#hasWork(peer.families[family])) {
        left -= this.#batch(peer, family, Math.min(left, Math.max(64, (maxBytes - packer.length) >> 3)))
      }
    }
    this.#state.attributes.collect()
    peer.updatesOut += packer.messages
    const more = FAMILIES.some((family) => this.#hasWork(peer.families[family]))
    peer.told = more
    return packer.length === 0 && !more ? undefined : packer.take()
  }

  #hasWork(side: PeerFamily): boolean {
    return side.queue.length > 0 || side.endOfRibAfter >= 0 || side.endOfRefreshAfter >= 0
  }

  /** @returns the number of prefixes looked at */
  #batch(peer: RibPeer, family: Family, limit: number): number {
    const side = peer.families[family]
    if (side.beginOfRefresh) {
      side.beginOfRefresh = false
      this.#packer.append(encodeRouteRefresh({ afi: afiOf(family), safi: 1, subtype: 1 }))
    }
    const count = Math.min(limit, side.queue.length, boundary(side.endOfRibAfter), boundary(side.endOfRefreshAfter))
    if (count > 0) this.#export(peer, family, count)
    side.endOfRibAfter = this.#mark(side.endOfRibAfter, count, () => encodeEndOfRib(family))
    side.endOfRefreshAfter = this.#mark(side.endOfRefreshAfter, count, () =>
      encodeRouteRefresh({ afi: afiOf(family), safi: 1, subtype: 2 }),
    )
    return count
  }

  /** Counts down to a message that marks an end. */
  #mark(after: number, count: number, message: () => Uint8Array): number {
    if (after < 0) return -1
    if (after > count) return after - count
    this.#packer.append(message())
    return -1
  }

  #export(peer: RibPeer, family: Family, count: number): void {
    const side = peer.families[family]
    const table = this.#state.tables[family]
    const { attributes } = this.#state
    let groups = 0
    let withdrawn = 0
    let used = 0
    for (let i = 0; i < count; i++) {
      const prefix = side.queue.pop()
      const before = side.advertised(prefix)
      const set = this.#exporter.exportOf(table, prefix)
      if (set < 0) {
        if (before >= 0) {
          attributes.release(before)
          side.setAdvertised(prefix, -1)
          side.advertisedCount--
          this.#withdrawn[withdrawn++] = prefix
        } else if ((table.first[prefix] as number) < 0) this.#changes.releasePrefix(table, prefix)
        continue
      }
      if (set === before && !side.queue.wasForced) continue
      attributes.retain(set)
      if (before >= 0) attributes.release(before)
      else side.advertisedCount++
      side.setAdvertised(prefix, set)
      groups = this.#group(set, used, groups)
      this.#prefix[used++] = prefix
    }
    this.#write(peer, family, groups, withdrawn)
  }

  /** Adds the prefix at `position` to the group of its attributes. */
  #group(set: number, position: number, groups: number): number {
    this.#next[position] = -1
    const mask = this.#slots.length - 1
    let slot = Math.imul(set, 0x9e3779b1) & mask
    for (let held = this.#slots[slot] as number; held !== 0; held = this.#slots[slot] as number) {
      const group = held - 1
      if (this.#groupSet[group] === set) {
        this.#next[this.#groupLast[group] as number] = position
        this.#groupLast[group] = position
        return groups
      }
      slot = (slot + 1) & mask
    }
    this.#slots[slot] = groups + 1
    this.#groupSet[groups] = set
    this.#groupFirst[groups] = position
    this.#groupLast[groups] = position
    return groups + 1
  }

  #write(peer: RibPeer, family: Family, groups: number, withdrawn: number): void {
    const packer = this.#packer
    const table = this.#state.tables[family]
    const { attributes } = this.#state
    if (withdrawn > 0) {
      packer.withdraw(family)
      for (let i = 0; i < withdrawn; i++) packer.prefix(table.prefixes, this.#withdrawn[i] as number)
      packer.end()
      for (let i = 0; i < withdrawn; i++) this.#changes.releasePrefix(table, this.#withdrawn[i] as number)
    }
    for (let group = 0; group < groups; group++) {
      const set = this.#groupSet[group] as number
      packer.announce(family, attributes.blockBytes(set), attributes.blockOffset(set), attributes.blockLength(set))
      for (let at = this.#groupFirst[group] as number; at >= 0; at = this.#next[at] as number) {
        packer.prefix(table.prefixes, this.#prefix[at] as number)
      }
      packer.end()
    }
    if (groups > 0) this.#slots.fill(0)
  }
}

function boundary(after: number): number {
  return after < 0 ? Infinity : after
}
