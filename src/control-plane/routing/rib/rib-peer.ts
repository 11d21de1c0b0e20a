import type { Family } from '../../../protocols/bgp/message.ts'
import type { RibPeerOptions, SessionParameters } from './contract.ts'
import { grownInt32 } from './columns.ts'
import { capacityFor, DirtyQueue } from './dirty-queue.ts'

/** Handle of local routes; peers begin at 1. */
export const LOCAL_PEER = 0

/** A peer's side of one family. */
export class PeerFamily {
  /** Prefix -> attribute set sent plus 1, 0 for none: Adj-RIB-Out. */
  #advertised: Int32Array = new Int32Array(0)
  advertisedCount: number = 0
  readonly queue: DirtyQueue = new DirtyQueue()
  /** Messages to send once so many more prefixes have left the queue; -1 for none. */
  endOfRibAfter: number = -1
  endOfRefreshAfter: number = -1
  beginOfRefresh: boolean = false

  /** Paths of other epochs are stale. */
  epoch: number = 1
  /** Stale paths still take part. */
  keepsStale: boolean = false
  /** Paths held; how many of them are accepted, and of an older epoch. */
  received: number = 0
  stale: number = 0
  accepted: number = 0
  disabled: boolean = false

  advertised(prefix: number): number {
    return prefix < this.#advertised.length ? (this.#advertised[prefix] as number) - 1 : -1
  }

  setAdvertised(prefix: number, attributes: number): void {
    if (prefix >= this.#advertised.length) {
      if (attributes < 0) return
      this.#advertised = grownInt32(this.#advertised, capacityFor(prefix))
    }
    this.#advertised[prefix] = attributes + 1
  }

  /** Every number up to it may be advertised. */
  get advertisedHigh(): number {
    return this.#advertised.length
  }

  /** Gives up Adj-RIB-Out; the references of what it held (attribute set plus 1) are the caller's to release. */
  dropAdvertised(): Int32Array {
    const dropped = this.#advertised
    this.#advertised = new Int32Array(0)
    this.advertisedCount = 0
    return dropped
  }

  /** All paths held become stale. */
  nextEpoch(): void {
    this.epoch = (this.epoch + 1) & 0xffff
    this.stale = this.received
  }

  get bytes(): number {
    return this.#advertised.byteLength + this.queue.bytes
  }
}

/** What the RIB knows of one neighbour. Outlives its sessions. */
export class RibPeer {
  readonly handle: number
  options: RibPeerOptions
  /** Of the session now or last. */
  session: SessionParameters | undefined
  up: boolean = false
  /** Order among all peers' addresses. */
  rank: number = 0
  exportsHeld: boolean = false
  /** Goes as soon as its routes are gone. */
  removed: boolean = false
  /** The listener was told that exports are pending. */
  told: boolean = false
  readonly families: Readonly<Record<Family, PeerFamily>> = { 4: new PeerFamily(), 6: new PeerFamily() }

  updatesIn: number = 0
  updatesOut: number = 0
  announcementsIn: number = 0
  withdrawalsIn: number = 0

  constructor(handle: number, options: RibPeerOptions) {
    this.handle = handle
    this.options = options
  }

  get external(): boolean {
    return this.session !== undefined && !this.session.internal
  }

  /** Whether routes of a family can be sent at all: external peers without a policy get nothing (RFC 8212). */
  exports(family: Family): boolean {
    const { session, options } = this
    if (!this.up || !session || !session.families.includes(family)) return false
    return session.internal || options.exportPolicy !== undefined || options.allowWithoutPolicy === true
  }
}
