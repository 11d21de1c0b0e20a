import { readU32 } from '../../../protocols/bgp/attribute-block.ts'
import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from '../../../protocols/bgp/faults.ts'
import { afiOf, type BgpFault, type Family } from '../../../protocols/bgp/message.ts'
import { UpdateScanner } from '../../../protocols/bgp/update-scanner.ts'
import type { SessionParameters, UpdateOutcome } from './contract.ts'
import { type Importer, MAX_BLOCK_BYTES } from './importer.ts'
import type { RibPeer } from './rib-peer.ts'
import type { RibState } from './rib-state.ts'
import type { RouteChanges } from './route-changes.ts'

/** Takes UPDATEs apart and puts their routes into the tables. */
export class UpdateIntake {
  readonly #state: RibState
  readonly #changes: RouteChanges
  readonly #importer: Importer
  readonly #scanner = new UpdateScanner()
  /** Prefix being read, as words. */
  #w0 = 0
  #w1 = 0
  #w2 = 0
  #w3 = 0
  #fault: BgpFault | undefined
  #withdrawn = 0

  constructor(state: RibState, changes: RouteChanges, importer: Importer) {
    this.#state = state
    this.#changes = changes
    this.#importer = importer
  }

  update(peer: RibPeer, body: Uint8Array): UpdateOutcome {
    const session = peer.session as SessionParameters
    const scan = this.#scanner.scan(body, session)
    peer.updatesIn++
    if (scan.fault) return { announced: 0, withdrawn: 0, errors: scan.errors, fault: scan.fault }
    this.#fault = undefined
    this.#withdrawn = 0
    const { withdrawnCount, announcedCount, reachFamily, unreachFamily } = scan
    if (withdrawnCount > 0) this.#withdraw(peer, 4, body, scan.withdrawnStart, scan.withdrawnEnd)
    if (unreachFamily !== 0 && scan.unreachCount > 0) this.#withdraw(peer, unreachFamily, body, scan.unreachStart, scan.unreachEnd)
    if (announcedCount > 0) this.#announced(peer, 4, body, scan.announcedStart, scan.announcedEnd, 'announced')
    if (reachFamily !== 0 && scan.reachCount > 0) this.#announced(peer, reachFamily, body, scan.reachStart, scan.reachEnd, 'reach')
    this.#state.attributes.collect()
    const announced = scan.treatAsWithdraw ? 0 : announcedCount + scan.reachCount
    peer.announcementsIn += announced
    peer.withdrawalsIn += this.#withdrawn
    return this.#outcome(scan, announced)
  }

  #outcome(scan: UpdateScanner, announced: number): UpdateOutcome {
    return {
      announced,
      withdrawn: this.#withdrawn,
      errors: scan.errors,
      ...(scan.endOfRib === undefined ? {} : { endOfRib: scan.endOfRib }),
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
      ...(scan.disabledFamily === undefined ? {} : { disabledFamily: scan.disabledFamily }),
    }
  }

  #announced(peer: RibPeer, family: Family, body: Uint8Array, start: number, end: number, part: 'announced' | 'reach'): void {
    const scan = this.#scanner
    if (peer.families[family].disabled || this.#fault) return
    const session = peer.session as SessionParameters
    if (!scan.treatAsWithdraw) {
      scan.blockFor(part, session)
      // longer than any attribute set that could be sent on: only extended messages can bring it
      if (scan.blockEnd - scan.blockStart <= MAX_BLOCK_BYTES) return this.#announce(peer, family, body, start, end)
    }
    this.#withdraw(peer, family, body, start, end)
  }

  #announce(peer: RibPeer, family: Family, body: Uint8Array, start: number, end: number): void {
    const { attributes, tables } = this.#state
    const scan = this.#scanner
    const table = tables[family]
    const addPath = (peer.session as SessionParameters).addPathReceive.includes(family)
    const maximum = peer.options.maximumPrefixes?.[family] ?? Infinity
    const set = attributes.intern(scan.buffer, scan.blockStart, scan.blockEnd)
    // held while prefixes come and go
    attributes.retain(set)
    this.#importer.begin(peer, set)
    let at = start
    while (at < end) {
      let pathId = 0
      if (addPath) {
        pathId = readU32(body, at)
        at += 4
      }
      const length = body[at++] as number
      at = this.#read(body, at, length, family)
      const prefix = table.addPrefix(this.#w0, this.#w1, this.#w2, this.#w3, length)
      if (!this.#changes.announce(table, peer, prefix, pathId, set, this.#importer, maximum)) {
        this.#fault = tooMany(family, maximum)
        break
      }
    }
    attributes.release(set)
  }

  #withdraw(peer: RibPeer, family: Family, body: Uint8Array, start: number, end: number): void {
    const table = this.#state.tables[family]
    const addPath = (peer.session as SessionParameters).addPathReceive.includes(family)
    for (let at = start; at < end;) {
      let pathId = 0
      if (addPath) {
        pathId = readU32(body, at)
        at += 4
      }
      const length = body[at++] as number
      at = this.#read(body, at, length, family)
      this.#withdrawn++
      const prefix = table.prefixes.find(this.#w0, this.#w1, this.#w2, this.#w3, length)
      const path = prefix < 0 ? -1 : table.findPath(prefix, peer.handle, pathId)
      if (path >= 0) this.#changes.withdraw(table, peer, prefix, path)
    }
  }

  /** Reads an address of `length` bits into the words. @returns the offset behind */
  #read(body: Uint8Array, at: number, length: number, family: Family): number {
    if (family === 4) {
      let word = 0
      if (length > 0) word = (body[at++] as number) << 24
      if (length > 8) word |= (body[at++] as number) << 16
      if (length > 16) word |= (body[at++] as number) << 8
      if (length > 24) word |= body[at++] as number
      this.#w0 = masked(word, length)
      // what an IPv6 prefix has left would be hashed too
      this.#w1 = this.#w2 = this.#w3 = 0
      return at
    }
    const size = (length + 7) >> 3
    const word = (i: number): number => {
      let out = 0
      for (let j = 4 * i; j < 4 * i + 4; j++) out = (out << 8) | (j < size ? (body[at + j] as number) : 0)
      return masked(out, length - 32 * i)
    }
    this.#w0 = word(0)
    this.#w1 = word(1)
    this.#w2 = word(2)
    this.#w3 = word(3)
    return at + size
  }
}

/** The first `length` bits of a word. */
function masked(word: number, length: number): number {
  if (length <= 0) return 0
  return length >= 32 ? word >>> 0 : (word & (-1 << (32 - length))) >>> 0
}

/** Cease/1 with family and limit (RFC 4486 section 4). */
function tooMany(family: Family, maximum: number): BgpFault {
  const data = Uint8Array.of(0, afiOf(family), 1, maximum >>> 24, maximum >>> 16, maximum >>> 8, maximum)
  return bgpFault(ERROR_CODE.cease, ERROR_SUBCODE.cease.maximumPrefixes, `more than ${maximum} prefixes of IPv${family}`, data)
}
