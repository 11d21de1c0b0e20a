import { messageOf } from '../../base/errors.ts'
import type { Backend, LeaseChange, StoreMeta } from './backend.ts'
import { StoreError } from './contract.ts'
import type { MvccState } from './mvcc-state.ts'
import type { Version } from './version.ts'

/** One commit takes at most this much, so that its latency stays bounded. */
const MAX_BATCH_OPS = 1000
const MAX_BATCH_BYTES = 8 * 1024 * 1024
/** Above this, writers are told to come back later. */
const MAX_QUEUED_ITEMS = 20_000
const MAX_QUEUED_BYTES = 64 * 1024 * 1024
/** Records removed between two commits of a compaction: a few milliseconds of latency for the writers that wait. */
const SWEEP_SLICE = 256

/** What waits to become durable. Its versions carry revisions from `nextRevision`, in order. */
export interface PipelineItem {
  readonly writes: readonly Version[]
  readonly leases?: readonly LeaseChange[]
  readonly compactRevision?: number
  /** Commits the meta record even though nothing else is there to commit. */
  readonly isFirst?: boolean
  /** Called once: durable, or refused with an error. */
  readonly settle: (error?: StoreError) => void
}

export interface PipelineOptions {
  readonly state: MvccState
  readonly backend: Backend
  readonly clusterId: string
  /** Waits until everybody who is about to write in this turn of the event loop has queued. */
  readonly gather: () => Promise<void>
  /** Durable and applied; called before the writers are answered. */
  readonly onCommitted: (versions: readonly Version[]) => void
  readonly onFailure: (error: StoreError) => void
  /** Seconds one commit took. */
  readonly observe?: (durationSeconds: number) => void
  readonly monotonic: () => number
}

/**
 * Makes writes durable in revision order, one commit in flight; what arrives meanwhile is the next commit. Compaction
 * sweeps in between. After a failed commit nothing is written ever again.
 */
export class CommitPipeline {
  readonly #options: PipelineOptions
  /** Newest version of each key that is not yet durable. */
  readonly #overlay = new Map<string, Version>()
  #queue: PipelineItem[] = []
  #queuedBytes = 0
  #inFlight: PipelineItem[] = []
  #inFlightRevision = 0
  #head: number
  #failure: StoreError | undefined
  #closing = false
  #running = false
  #done: Promise<void> = Promise.resolve()

  constructor(options: PipelineOptions) {
    this.#options = options
    this.#head = options.state.revision
  }

  get failure(): StoreError | undefined {
    return this.#failure
  }

  /** The newest revision given out, durable or not. */
  get head(): number {
    return this.#head
  }

  /** The newest version of a key, durable or not. */
  newest(key: string): Version | undefined {
    return this.#overlay.get(key) ?? this.#options.state.newest(key)
  }

  /** @throws StoreError `ReadOnly`, `Closed` or `Overloaded`: call before planning a write */
  checkWritable(): void {
    if (this.#failure) throw this.#failure
    if (this.#closing) throw closed()
    if (this.#queue.length >= MAX_QUEUED_ITEMS || this.#queuedBytes >= MAX_QUEUED_BYTES)
      throw new StoreError('Overloaded', `${this.#queue.length} writes wait for the disk: retry later`)
    if (this.#head >= Number.MAX_SAFE_INTEGER - 1) throw new StoreError('ReadOnly', 'the revision counter is used up')
  }

  /** Queues writes planned at `head + 1` (or changes without a revision) right after `checkWritable`. */
  submit(item: PipelineItem): void {
    const last = item.writes.at(-1)
    if (last) this.#head = last.modRevision
    for (const version of item.writes) this.#overlay.set(version.entry.key, version)
    this.#queuedBytes += bytesOf(item)
    this.#queue.push(item)
    this.start()
  }

  /** Calls `settle` once everything up to `revision` is durable; `revision` must be above the committed one. */
  await(revision: number, settle: (error?: StoreError) => void): void {
    const item: PipelineItem = { writes: [], settle }
    if (revision <= this.#inFlightRevision) this.#inFlight.push(item)
    else this.#queue.push(item)
  }

  /** Commits what waits and sweeps what a compaction left. */
  start(): void {
    if (this.#running) return
    this.#running = true
    this.#done = this.#run()
  }

  /** Resolves when nothing waits and nothing is left to sweep. */
  async settled(): Promise<void> {
    while (this.#running) await this.#done
  }

  /** Commits what waits, then refuses. Sweeping stops: it is resumed at the next start. */
  async close(): Promise<void> {
    this.#closing = true
    await this.settled()
  }

  async #run(): Promise<void> {
    const { state } = this.#options
    try {
      while (!this.#failure && (this.#queue.length > 0 || (state.hasGarbage && !this.#closing))) {
        await this.#options.gather()
        if (this.#queue.length > 0) await this.#commitBatch()
        if (!this.#failure && state.hasGarbage && !this.#closing) await this.#commitSweep()
      }
    } catch (error) {
      // nothing here throws by design; if it does, what is in memory can no longer be trusted to match the disk
      this.#fail(error)
    }
    // in the same turn as the last look at the queue: a write that comes later starts a new run
    this.#running = false
  }

  async #commitBatch(): Promise<void> {
    const { state, monotonic } = this.#options
    const batch = this.#take()
    const records = batch.flatMap((item) => item.writes)
    const compactRevision = batch.reduce((newest, item) => Math.max(newest, item.compactRevision ?? 0), state.compactRevision)
    this.#inFlight = batch
    this.#inFlightRevision = records.at(-1)?.modRevision ?? state.revision
    const started = monotonic()
    try {
      const leases = batch.flatMap((item) => item.leases ?? [])
      const isNeeded =
        records.length > 0 || leases.length > 0 || compactRevision !== state.compactRevision || batch.some((item) => item.isFirst)
      if (isNeeded)
        await this.#options.backend.commit({ records, removed: [], leases, meta: this.#meta(this.#inFlightRevision, compactRevision) })
    } catch (error) {
      return this.#fail(error)
    }
    this.#options.observe?.((monotonic() - started) / 1000)
    this.#apply(records)
    state.compactRevision = compactRevision
    this.#options.onCommitted(records)
    this.#inFlight = []
    for (const item of batch) item.settle()
    if (this.#options.backend.readsValues) for (const version of records) version.value = undefined
  }

  async #commitSweep(): Promise<void> {
    const { state } = this.#options
    const removed = state.sweep(SWEEP_SLICE)
    if (removed.length === 0) return
    try {
      await this.#options.backend.commit({ records: [], removed, leases: [], meta: this.#meta(state.revision, state.compactRevision) })
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(): PipelineItem[] {
    let ops = 0
    let bytes = 0
    let count = 0
    while (count < this.#queue.length) {
      const item = this.#queue[count] as PipelineItem
      ops += item.writes.length
      bytes += bytesOf(item)
      if (count > 0 && (ops > MAX_BATCH_OPS || bytes > MAX_BATCH_BYTES)) break
      this.#queuedBytes -= bytesOf(item)
      count++
    }
    return this.#queue.splice(0, count)
  }

  #apply(records: readonly Version[]): void {
    const { state } = this.#options
    for (const version of records) {
      state.apply(version)
      const { key } = version.entry
      if (this.#overlay.get(key) === version) this.#overlay.delete(key)
    }
  }

  #fail(error: unknown): void {
    this.#failure = new StoreError('ReadOnly', `the disk refused a write, so nothing is written until a restart: ${messageOf(error)}`, {
      cause: error,
    })
    const waiting = [...this.#inFlight, ...this.#queue]
    this.#inFlight = []
    this.#queue = []
    this.#queuedBytes = 0
    this.#overlay.clear()
    this.#head = this.#options.state.revision
    this.#options.onFailure(this.#failure)
    for (const item of waiting) item.settle(this.#failure)
  }

  #meta(lastRevision: number, compactRevision: number): StoreMeta {
    return { clusterId: this.#options.clusterId, lastRevision, compactRevision }
  }
}

function bytesOf(item: PipelineItem): number {
  let bytes = 0
  for (const version of item.writes) bytes += 64 + version.entry.key.length + (version.value?.length ?? 0)
  return bytes
}

export function closed(): StoreError {
  return new StoreError('Closed', 'the store is closed')
}
