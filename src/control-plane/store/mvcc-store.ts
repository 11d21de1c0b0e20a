import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import { silentLogger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { createMetrics } from '../../base/metrics.ts'
import type { CompactionOptions } from './auto-compaction.ts'
import { AutoCompaction } from './auto-compaction.ts'
import type { Backend } from './backend.ts'
import type { PipelineItem } from './commit-pipeline.ts'
import { closed, CommitPipeline } from './commit-pipeline.ts'
import type {
  Compare,
  KeyValue,
  Leases,
  ListOptions,
  ListResult,
  Op,
  Store,
  StoreEvent,
  StoreStatus,
  TxnResult,
  Watch,
  WatchOptions,
} from './contract.ts'
import { StoreError } from './contract.ts'
import { checkTtl, Lessor } from './lessor.ts'
import { MvccState } from './mvcc-state.ts'
import type { TxnPlan } from './plan-txn.ts'
import { planTxn, tombstone } from './plan-txn.ts'
import type { StoreMetrics } from './store-metrics.ts'
import { storeMetrics } from './store-metrics.ts'
import { checkKey, checkRevision, checkTxn } from './validate-request.ts'
import type { Version } from './version.ts'
import { live, toKeyValue } from './version.ts'
import { WatchHub } from './watch-hub.ts'

export interface StoreOptions {
  readonly clock: Clock
  /** Fresh random bytes: lease ids and the cluster id. */
  readonly random: (bytes: number) => Uint8Array
  /** `false`: history grows until somebody calls `compact`. Default: see CompactionOptions. */
  readonly compaction?: CompactionOptions | false
  readonly log?: Logger
  readonly metrics?: Metrics
  /** See PipelineOptions. Default: the end of this turn of the event loop. */
  readonly gather?: () => Promise<void>
  /** Called when everything is closed. */
  readonly onClosed?: (failure: StoreError | undefined) => Promise<void>
}

const EMPTY = new Uint8Array(0)

export function newClusterId(random: (bytes: number) => Uint8Array): string {
  return Buffer.from(random(8)).toString('hex')
}

/**
 * The store over any Backend. Evaluation and reads are synchronous; only durability is waited for. Values are taken over,
 * not copied: a caller does not change bytes that it has put.
 */
export class MvccStore implements Store {
  readonly leases: Leases
  readonly #backend: Backend
  readonly #options: StoreOptions
  readonly #log: Logger
  readonly #isNew: boolean
  readonly #clusterId: string
  readonly #state = new MvccState()
  readonly #pipeline: CommitPipeline
  readonly #hub: WatchHub
  readonly #lessor: Lessor
  readonly #metrics: StoreMetrics
  readonly #compaction: AutoCompaction | undefined
  #compactRequested = 0
  #closed: Promise<void> | undefined

  /** Opens the backend and loads the state. @throws StoreError `Corrupt` */
  static open(backend: Backend, options: StoreOptions): MvccStore {
    const store = new MvccStore(backend, options)
    store.#start()
    return store
  }

  private constructor(backend: Backend, options: StoreOptions) {
    const { clock, random, compaction = {}, log = silentLogger } = options
    this.#backend = backend
    this.#options = options
    this.#log = log
    const { meta, leases } = backend.open()
    this.#isNew = meta === undefined
    this.#clusterId = meta?.clusterId ?? newClusterId(random)
    this.#state.load(backend.scan(), { lastRevision: meta?.lastRevision ?? 1, compactRevision: meta?.compactRevision ?? 0 })
    this.#compactRequested = this.#state.compactRevision
    this.#hub = new WatchHub(this.#state, {
      toEvent: (version) => this.#toEvent(version),
      onSlow: () => this.#metrics.slowWatchers.inc(),
    })
    this.#pipeline = new CommitPipeline({
      state: this.#state,
      backend,
      clusterId: this.#clusterId,
      gather: options.gather ?? (() => new Promise((resolve) => setImmediate(resolve))),
      onCommitted: (versions) => this.#committed(versions),
      onFailure: (error) => this.#failed(error),
      observe: (seconds) => this.#metrics.commitSeconds.observe(seconds),
      monotonic: () => clock.monotonic(),
    })
    this.#lessor = new Lessor(clock, (id) => this.#expire(id))
    for (const { id, ttlSeconds } of leases) this.#lessor.add(id, ttlSeconds)
    for (const version of this.#state.liveVersions()) this.#lessor.note(version, undefined)
    this.leases = {
      grant: (ttlSeconds) => this.#grant(ttlSeconds),
      keepAlive: (id) => this.#keepAlive(id),
      revoke: (id) => this.#revoke(id),
    }
    this.#metrics = storeMetrics(options.metrics ?? createMetrics(), () => this.#gauges())
    if (compaction !== false) {
      const revision = (): bigint => BigInt(this.#state.revision)
      this.#compaction = new AutoCompaction(clock, compaction, { revision, compact: (to) => this.#compactQuietly(to) })
    }
  }

  async txn(compares: readonly Compare[], onSuccess: readonly Op[], onFailure: readonly Op[]): Promise<TxnResult> {
    this.#checkOpen()
    checkTxn(compares, onSuccess, onFailure)
    const view = { newest: (key: string) => this.#pipeline.newest(key), hasLease: (id: bigint) => this.#lessor.has(id) }
    const revision = this.#pipeline.head + 1
    const plan = planTxn({ compares, onSuccess, onFailure }, view, revision)
    this.#metrics.txns.inc()
    if (plan.writes.length > 0) return this.#write(plan.writes, () => this.#toResult(plan, revision))
    if (plan.newestSeen <= this.#state.revision) return this.#toResult(plan, this.#state.revision)
    // the outcome shows a value that a crash could still take back
    return whenSettled(
      () => this.#toResult(plan, plan.newestSeen),
      (settle) => this.#pipeline.await(plan.newestSeen, settle),
    )
  }

  async get(key: string, revision?: bigint): Promise<KeyValue | undefined> {
    this.#checkOpen()
    checkKey(key)
    const version = this.#state.at(key, this.#readRevision(revision))
    return version && this.#toKeyValue(version)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.#checkOpen()
    const { from = prefix, limit = 0 } = options
    if (!from.startsWith(prefix)) throw new StoreError('InvalidArgument', `from ${from}: outside the prefix ${prefix}`)
    const revision = this.#readRevision(options.revision)
    const { versions, next, remaining } = this.#state.page(prefix, from, { limit, revision })
    const items = versions.map((version) => this.#toKeyValue(version))
    return { revision: BigInt(revision), items, remaining, ...(next === undefined ? {} : { next }) }
  }

  async count(prefix: string): Promise<number> {
    this.#checkOpen()
    return this.#state.count(prefix)
  }

  watch(prefix: string, options?: WatchOptions): Watch {
    this.#checkOpen()
    return this.#hub.watch(prefix, options)
  }

  async compact(revision: bigint): Promise<void> {
    this.#checkOpen()
    const target = checkRevision(revision, 'revision')
    if (target > this.#state.revision) throw futureRevision(target, this.#state.revision)
    if (target <= this.#compactRequested) throw compacted(target, this.#compactRequested)
    this.#pipeline.checkWritable()
    this.#compactRequested = target
    await this.#submit({ writes: [], compactRevision: target }, () => undefined)
  }

  async status(): Promise<StoreStatus> {
    this.#checkOpen()
    const { revision, compactRevision, keys } = this.#state
    const { failure } = this.#pipeline
    return {
      revision: BigInt(revision),
      compactRevision: BigInt(compactRevision),
      keys,
      sizeBytes: this.#backend.sizeBytes(),
      clusterId: this.#clusterId,
      ...(failure ? { failure: failure.message } : {}),
    }
  }

  /** Resolves once nothing waits to become durable and no compaction is being carried out. */
  settled(): Promise<void> {
    return this.#pipeline.settled()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  #start(): void {
    this.#compaction?.start()
    // a failure shows as `failure` in the status
    if (this.#isNew) this.#submit({ writes: [], isFirst: true }, () => undefined).catch(() => {})
    if (this.#state.hasGarbage) this.#pipeline.start()
  }

  async #close(): Promise<void> {
    this.#compaction?.close()
    this.#lessor.close()
    await this.#pipeline.close()
    this.#hub.close(closed())
    await this.#backend.close()
    await this.#options.onClosed?.(this.#pipeline.failure)
  }

  /** Queues writes planned at the revision after the pipeline's head. */
  #write<T>(writes: readonly Version[], answer: () => T): Promise<T> {
    this.#pipeline.checkWritable()
    for (const version of writes) this.#lessor.note(version, live(this.#pipeline.newest(version.entry.key)))
    return this.#submit({ writes }, answer)
  }

  #submit<T>(item: Omit<PipelineItem, 'settle'>, answer: () => T): Promise<T> {
    return whenSettled(answer, (settle) => this.#pipeline.submit({ ...item, settle }))
  }

  async #grant(ttlSeconds: number): Promise<bigint> {
    this.#checkOpen()
    checkTtl(ttlSeconds)
    this.#pipeline.checkWritable()
    const id = this.#newLeaseId()
    this.#lessor.add(id, ttlSeconds)
    return this.#submit({ writes: [], leases: [{ type: 'grant', id, ttlSeconds }] }, () => BigInt(id))
  }

  async #keepAlive(id: bigint): Promise<void> {
    this.#checkOpen()
    this.#pipeline.checkWritable()
    this.#lessor.keepAlive(id)
  }

  async #revoke(id: bigint): Promise<void> {
    this.#checkOpen()
    this.#pipeline.checkWritable()
    const revision = this.#pipeline.head + 1
    const writes = this.#lessor.take(id).map((key, index) => {
      const { entry } = this.#pipeline.newest(key) as Version
      return tombstone(entry, { revision, index })
    })
    await this.#submit({ writes, leases: [{ type: 'revoke', id: Number(id) }] }, () => undefined)
  }

  #expire(id: number): void {
    this.#revoke(BigInt(id)).catch((error: unknown) => this.#log.warn('lease could not be revoked', { lease: id, error }))
  }

  #newLeaseId(): number {
    for (;;) {
      // 48 bits: exact as a number, and never 0, which means "no lease"
      const id = Buffer.from(this.#options.random(6)).readUIntBE(0, 6)
      if (id !== 0 && !this.#lessor.has(BigInt(id))) return id
    }
  }

  #compactQuietly(revision: bigint): void {
    if (Number(revision) <= this.#compactRequested || this.#pipeline.failure) return
    this.compact(revision).catch((error: unknown) => this.#log.warn('compaction failed', { revision, error }))
  }

  #committed(versions: readonly Version[]): void {
    for (const version of versions) (version.isTombstone ? this.#metrics.deletes : this.#metrics.puts).inc()
    this.#hub.publish(versions)
  }

  #failed(error: StoreError): void {
    this.#lessor.close()
    this.#compaction?.close()
    this.#log.error('store is read-only', { error })
  }

  #checkOpen(): void {
    if (this.#closed) throw closed()
  }

  #readRevision(revision: bigint | undefined): number {
    if (revision === undefined) return this.#state.revision
    const wanted = checkRevision(revision, 'revision')
    if (wanted > this.#state.revision) throw futureRevision(wanted, this.#state.revision)
    if (wanted < this.#state.compactRevision) throw compacted(wanted, this.#state.compactRevision)
    return wanted
  }

  #toResult(plan: TxnPlan, revision: number): TxnResult {
    const results = plan.results.map((version) => (version ? { kv: this.#toKeyValue(version) } : {}))
    return { succeeded: plan.succeeded, revision: BigInt(revision), results }
  }

  #toKeyValue(version: Version): KeyValue {
    return toKeyValue(version, this.#valueOf(version))
  }

  #toEvent(version: Version): StoreEvent {
    const { key } = version.entry
    const before = live(version.previous)
    const previous = before && this.#toKeyValue(before)
    if (!version.isTombstone) return { type: 'put', key, kv: this.#toKeyValue(version), ...(previous ? { previous } : {}) }
    const modRevision = BigInt(version.modRevision)
    const kv = previous ? { ...previous, modRevision } : { ...toKeyValue(version, EMPTY), modRevision }
    return { type: 'delete', key, kv, ...(previous ? { previous } : {}) }
  }

  #valueOf(version: Version): Uint8Array {
    return version.value ?? this.#backend.read(version)
  }

  #gauges() {
    const { revision, compactRevision, keys } = this.#state
    const isOpen = this.#closed === undefined
    return {
      revision,
      compactRevision,
      keys,
      watchers: this.#hub.size,
      sizeBytes: isOpen ? this.#backend.sizeBytes() : 0,
      leases: this.#lessor.size,
    }
  }
}

/** Resolves with `answer()` once `register`'s callback is called without an error. */
function whenSettled<T>(answer: () => T, register: (settle: (error?: StoreError) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    register((error) => {
      if (error) return reject(error)
      try {
        resolve(answer())
      } catch (failure) {
        reject(failure)
      }
    })
  })
}

function futureRevision(wanted: number, current: number): StoreError {
  return new StoreError('FutureRevision', `revision ${wanted} has not happened yet, the store is at ${current}`)
}

function compacted(wanted: number, compactRevision: number): StoreError {
  return new StoreError('Compacted', `revision ${wanted} is gone, the store is compacted up to ${compactRevision}`)
}
