import type { RecordId, StoredRecord } from './backend.ts'
import { StoreError } from './contract.ts'
import { History } from './history.ts'
import { OrderedIndex, prefixEnd } from './ordered-index.ts'
import { KeyEntry, live, Version, versionAt } from './version.ts'

/** Versions one `sweep` looks at, most of which may have nothing to remove. */
const SWEEP_LOOKS = 10_000

export interface VersionPage {
  readonly versions: readonly Version[]
  readonly next: string | undefined
  readonly remaining: number
}

/** The committed state: keys, version chains and history. Pure data, no I/O; only durable things enter by `apply`. */
export class MvccState {
  /** An empty store is at revision 1, as etcd has it, so that 0 can mean "absent" and "any". */
  revision = 1
  compactRevision = 0
  readonly history: History = new History()
  readonly #entries = new Map<string, KeyEntry>()
  readonly #index = new OrderedIndex()
  /** Records a crash left behind in the middle of a compaction. */
  #leftOver: RecordId[] = []

  get keys(): number {
    return this.#index.liveKeys
  }

  /** The newest version, tombstones too. */
  newest(key: string): Version | undefined {
    return this.#entries.get(key)?.newest
  }

  at(key: string, revision: number): Version | undefined {
    const entry = this.#entries.get(key)
    return entry && versionAt(entry, revision)
  }

  page(prefix: string, from: string, limits: { readonly limit: number; readonly revision: number }): VersionPage {
    const { limit, revision } = limits
    const versions: Version[] = []
    let next: string | undefined
    this.#index.scan(from, (entry) => {
      if (!entry.key.startsWith(prefix)) return false
      const version = versionAt(entry, revision)
      if (!version) return true
      if (limit > 0 && versions.length === limit) {
        next = entry.key
        return false
      }
      versions.push(version)
      return true
    })
    return { versions, next, remaining: next === undefined ? 0 : this.#index.count(next, prefixEnd(prefix), revision) }
  }

  count(prefix: string): number {
    return this.#index.count(prefix, prefixEnd(prefix), this.revision)
  }

  /** Takes in a version that has become durable. Versions come in the order of (modRevision, index). */
  apply(version: Version): void {
    const { entry } = version
    const before = live(entry.newest)
    // a compaction may have taken the entry out while this version waited
    if (!this.#entries.has(entry.key)) {
      this.#entries.set(entry.key, entry)
      this.#index.insert(entry)
    }
    version.previous = entry.newest
    entry.newest = version
    this.history.push(version)
    this.revision = version.modRevision
    if (!before && !version.isTombstone) this.#index.noteLive(entry.key, 1, version.modRevision)
    if (before && version.isTombstone) this.#index.noteLive(entry.key, -1, version.modRevision)
  }

  /** Fills an empty state. @throws StoreError `Corrupt` */
  load(records: Iterable<StoredRecord & { readonly value?: Uint8Array }>, saved: { lastRevision: number; compactRevision: number }): void {
    this.compactRevision = saved.compactRevision
    let last: RecordId = { modRevision: 0, index: 0 }
    for (const record of records) {
      if (record.modRevision < last.modRevision || (record.modRevision === last.modRevision && record.index <= last.index))
        throw new StoreError('Corrupt', `record ${record.modRevision}/${record.index} is out of order: restore the data directory`)
      last = record
      this.#loadRecord(record)
    }
    this.revision = Math.max(1, last.modRevision, saved.lastRevision)
    if (!Number.isSafeInteger(this.revision)) throw new StoreError('Corrupt', `revision ${this.revision} is not a plausible revision`)
    const entries = [...this.#entries.values()].filter((entry) => entry.newest !== undefined)
    entries.sort((a, b) => (a.key < b.key ? -1 : 1))
    this.#index.bulkLoad(entries, this.revision)
  }

  /** All versions that exist now, in no order. */
  *liveVersions(): Iterable<Version> {
    for (const entry of this.#entries.values()) if (entry.newest && !entry.newest.isTombstone) yield entry.newest
  }

  get hasGarbage(): boolean {
    return this.#leftOver.length > 0 || this.history.hasThrough(this.compactRevision)
  }

  /**
   * Cuts up to about `limit` versions that no reader can reach any more and names their records.
   * A tombstone with something above it goes when that is swept.
   */
  sweep(limit: number): RecordId[] {
    const removed = this.#leftOver.splice(0, limit)
    for (let looked = 0; removed.length < limit && looked < SWEEP_LOOKS; looked++) {
      const version = this.history.shiftThrough(this.compactRevision)
      if (!version) break
      const { entry, previous } = version
      if (previous) removed.push({ modRevision: previous.modRevision, index: previous.index })
      version.previous = undefined
      if (version.isTombstone && entry.newest === version) {
        removed.push({ modRevision: version.modRevision, index: version.index })
        entry.newest = undefined
        this.#entries.delete(entry.key)
        this.#index.remove(entry)
      }
    }
    return removed
  }

  #loadRecord(record: StoredRecord & { readonly value?: Uint8Array }): void {
    const entry = this.#entries.get(record.key) ?? new KeyEntry(record.key)
    const version = new Version(entry, record, record.value)
    if (version.modRevision > this.compactRevision) {
      version.previous = entry.newest
      this.history.push(version)
    } else {
      if (entry.newest) this.#leftOver.push({ modRevision: entry.newest.modRevision, index: entry.newest.index })
      if (version.isTombstone) this.#leftOver.push({ modRevision: version.modRevision, index: version.index })
    }
    entry.newest = version.isTombstone && version.modRevision <= this.compactRevision ? undefined : version
    if (entry.newest) this.#entries.set(record.key, entry)
    else this.#entries.delete(record.key)
  }
}
