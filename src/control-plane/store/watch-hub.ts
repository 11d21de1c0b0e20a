import { messageOf } from '../../base/errors.ts'
import type { StoreEvent, Watch, WatchBatch, WatchOptions } from './contract.ts'
import { StoreError } from './contract.ts'
import type { MvccState } from './mvcc-state.ts'
import { checkRevision } from './validate-request.ts'
import type { Version } from './version.ts'
import type { ReplayPage, WatchSource } from './watcher.ts'
import { Watcher } from './watcher.ts'

const DEFAULT_MAX_QUEUED = 10_000
/** A replay page ends at the first revision after either bound. */
const PAGE_EVENTS = 1000
const PAGE_SCANNED = 20_000

/** Watchers of one prefix; they share their batches. */
interface Group {
  readonly watchers: Set<Watcher>
  pending: StoreEvent[]
}

/**
 * Finds who watches a key and hands each group one batch per commit, so that the cost of an event does not depend on
 * how many watch the same prefix beyond one queue push each.
 */
export class WatchHub implements WatchSource {
  readonly #state: MvccState
  readonly #toEvent: (version: Version) => StoreEvent
  readonly #groups = new Map<string, Group>()
  /** How many groups have a prefix of this length that does not end at a slash. */
  readonly #oddLengths = new Map<number, number>()
  readonly #watchers = new Set<Watcher>()
  readonly #onSlow: () => void

  constructor(state: MvccState, options: { readonly toEvent: (version: Version) => StoreEvent; readonly onSlow?: () => void }) {
    this.#state = state
    this.#toEvent = options.toEvent
    this.#onSlow = options.onSlow ?? (() => {})
  }

  get revision(): bigint {
    return BigInt(this.#state.revision)
  }

  /** Watches that have not ended. */
  get size(): number {
    return this.#watchers.size
  }

  watch(prefix: string, options: WatchOptions = {}): Watch {
    const { fromRevision, maxQueued = DEFAULT_MAX_QUEUED, signal } = options
    const from = fromRevision === undefined ? undefined : checkRevision(fromRevision, 'fromRevision')
    const watcher = new Watcher(this, {
      prefix,
      replayFrom: from !== undefined && from <= this.#state.revision ? from : undefined,
      skipBelow: fromRevision ?? 0n,
      maxQueued,
      signal,
    })
    if (!signal?.aborted) this.#watchers.add(watcher)
    return watcher
  }

  replay(prefix: string, fromRevision: number): ReplayPage {
    const { history, compactRevision, revision } = this.#state
    if (fromRevision <= compactRevision)
      throw new StoreError('Compacted', `revision ${fromRevision} is gone, the oldest that can be watched is ${compactRevision + 1}`)
    const events: StoreEvent[] = []
    let scanned = 0
    const next = history.replay(
      fromRevision,
      (version) => {
        scanned++
        if (version.entry.key.startsWith(prefix)) events.push(this.#toEvent(version))
      },
      () => events.length < PAGE_EVENTS && scanned < PAGE_SCANNED,
    )
    return { batch: { revision: BigInt(next === undefined ? revision : next - 1), events }, next }
  }

  join(watcher: Watcher): void {
    let group = this.#groups.get(watcher.prefix)
    if (!group) {
      group = { watchers: new Set(), pending: [] }
      this.#groups.set(watcher.prefix, group)
      this.#countLength(watcher.prefix, 1)
    }
    group.watchers.add(watcher)
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher)
    const group = this.#groups.get(watcher.prefix)
    if (!group?.watchers.delete(watcher) || group.watchers.size > 0) return
    this.#groups.delete(watcher.prefix)
    this.#countLength(watcher.prefix, -1)
  }

  /** Tells every watcher what one commit did. */
  publish(versions: readonly Version[]): void {
    if (this.#groups.size === 0 || versions.length === 0) return
    const touched = new Set<Group>()
    for (const version of versions) this.#assign(version, touched)
    const { revision } = this
    for (const group of touched) {
      const batch: WatchBatch = { revision, events: group.pending }
      group.pending = []
      for (const watcher of group.watchers) watcher.offer(batch)
    }
  }

  /** Ends all watches with `error`. */
  close(error: StoreError): void {
    for (const watcher of this.#watchers) watcher.fail(error)
  }

  dropped(): void {
    this.#onSlow()
  }

  #assign(version: Version, touched: Set<Group>): void {
    const groups = this.#groupsOf(version.entry.key)
    if (groups.length === 0) return
    try {
      const event = this.#toEvent(version)
      for (const group of groups) {
        group.pending.push(event)
        touched.add(group)
      }
    } catch (error) {
      // a value before this one cannot be read: whoever needs it must not go on as if nothing had happened
      const failure = error instanceof StoreError ? error : new StoreError('Corrupt', messageOf(error), { cause: error })
      for (const group of groups) for (const watcher of group.watchers) watcher.fail(failure)
    }
  }

  #groupsOf(key: string): Group[] {
    const found: Group[] = []
    const add = (group: Group | undefined): void => void (group && found.push(group))
    for (let i = key.indexOf('/'); i >= 0; i = key.indexOf('/', i + 1)) add(this.#groups.get(key.slice(0, i + 1)))
    for (const length of this.#oddLengths.keys()) {
      if (length <= key.length && key[length - 1] !== '/') add(this.#groups.get(key.slice(0, length)))
    }
    return found
  }

  #countLength(prefix: string, by: number): void {
    if (prefix.endsWith('/')) return
    const count = (this.#oddLengths.get(prefix.length) ?? 0) + by
    if (count > 0) this.#oddLengths.set(prefix.length, count)
    else this.#oddLengths.delete(prefix.length)
  }
}
