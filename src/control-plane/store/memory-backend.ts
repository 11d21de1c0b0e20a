import type { Backend, Commit, LeaseChange, RecordId, SavedState, StoredRecord, StoreMeta } from './backend.ts'

type KeptRecord = StoredRecord & { readonly value: Uint8Array }

/** Durable as long as the object lives: a second store over the same backend finds what the first committed. */
export class MemoryBackend implements Backend {
  readonly readsValues: boolean = false
  readonly #records = new Map<string, KeptRecord>()
  readonly #leases = new Map<number, number>()
  #meta: StoreMeta | undefined
  #sizeBytes = 0

  open(): SavedState {
    return { meta: this.#meta, leases: [...this.#leases].map(([id, ttlSeconds]) => ({ id, ttlSeconds })) }
  }

  scan(): Iterable<KeptRecord> {
    // insertion order is record order: commits come in revision order
    return this.#records.values()
  }

  commit({ records, removed, leases, meta }: Commit): Promise<void> {
    for (const { entry, value = EMPTY, modRevision, index, createRevision, version, leaseId } of records) {
      this.#records.set(idOf({ modRevision, index }), { key: entry.key, value, modRevision, index, createRevision, version, leaseId })
      this.#sizeBytes += entry.key.length + value.length
    }
    for (const id of removed) this.#remove(idOf(id))
    for (const change of leases) this.#applyLease(change)
    this.#meta = meta
    return Promise.resolve()
  }

  read(id: RecordId): Uint8Array {
    throw new Error(`record ${idOf(id)}: the memory backend leaves values to the store`)
  }

  sizeBytes(): number {
    return this.#sizeBytes
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #remove(id: string): void {
    const record = this.#records.get(id)
    if (!record) return
    this.#sizeBytes -= record.key.length + record.value.length
    this.#records.delete(id)
  }

  #applyLease(change: LeaseChange): void {
    if (change.type === 'grant') this.#leases.set(change.id, change.ttlSeconds)
    else this.#leases.delete(change.id)
  }
}

const EMPTY = new Uint8Array(0)
const idOf = (id: RecordId): string => `${id.modRevision}/${id.index}`
