import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import type { Store, StoreErrorCode, StoreEvent, TxnResult, Watch, WatchBatch } from '../contract.ts'
import { StoreError } from '../contract.ts'

export const bytes = (text: string): Uint8Array => Buffer.from(text)
export const text = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString()

export function put(store: Store, key: string, value = 'v', leaseId?: bigint): Promise<TxnResult> {
  return store.txn([], [{ type: 'put', key, value: bytes(value), ...(leaseId === undefined ? {} : { leaseId }) }], [])
}

export function remove(store: Store, key: string): Promise<TxnResult> {
  return store.txn([], [{ type: 'delete', key }], [])
}

export async function revisionOf(store: Store): Promise<bigint> {
  return (await store.status()).revision
}

export async function keysOf(store: Store, prefix: string, revision?: bigint): Promise<string[]> {
  const { items } = await store.list(prefix, revision === undefined ? {} : { revision })
  return items.map((item) => item.key)
}

/** Expects `promise` to be refused with a StoreError of that code. */
export async function expectCode(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StoreError)
  expect((error as StoreError).code).toBe(code)
}

/** The next batch; fails the test if the watch has ended. */
export async function nextBatch(watch: Watch): Promise<WatchBatch> {
  const result = await watch[Symbol.asyncIterator]().next()
  if (result.done) throw new Error('the watch has ended')
  return result.value
}

/** Reads until the batches reach `revision`. */
export async function eventsThrough(watch: Watch, revision: bigint): Promise<StoreEvent[]> {
  const events: StoreEvent[] = []
  for (;;) {
    const batch = await nextBatch(watch)
    events.push(...batch.events)
    if (batch.revision >= revision) return events
  }
}

/** `put a=1@2` and the like: key, value and revision of an event. */
export function summary(event: StoreEvent): string {
  const before = event.previous ? ` was ${text(event.previous.value)}@${event.previous.modRevision}` : ''
  return `${event.type} ${event.key}=${text(event.kv.value)}@${event.kv.modRevision}${before}`
}
