import { Buffer } from 'node:buffer'
import { writeSync } from 'node:fs'
import { systemClock } from '../../src/base/clock.ts'
import type { Compare, Store } from '../../src/control-plane/store/index.ts'
import { openLmdbStore } from '../../src/control-plane/store/index.ts'
import { formatAck } from './acks.ts'

/** Small whole numbers that repeat with the seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
}

/** 64 writers compare and swap until the process is killed; automatic compaction runs all the while. */
export async function writeUntilKilled(dir: string, seed: number): Promise<void> {
  const compaction = { retentionMs: 150, intervalMs: 50 }
  const store = await openLmdbStore({ dir, clock: systemClock, compaction })
  const random = randomFrom(seed)
  let counter = 0
  const writer = async (): Promise<void> => {
    for (;;)
      await write(store, `/registry/things/${random(100)}`, {
        name: `v${seed}-${counter++}-`,
        sizeBytes: random(2000),
        remove: random(8) === 0,
      })
  }
  await Promise.all(Array.from({ length: 64 }, writer))
}

/** A short run with every kind of write; ends by itself. */
export async function writeScript(dir: string, writes: number): Promise<void> {
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const random = randomFrom(7)
  let counter = 0
  let nextCompaction = 80
  const writer = async (): Promise<void> => {
    while (counter < writes) {
      const name = `v${counter++}-`
      await write(store, `/registry/things/${random(40)}`, { name, sizeBytes: 100 + random(3500), remove: random(8) === 0 })
      if (counter < nextCompaction) continue
      nextCompaction += 80
      await store.compact((await store.status()).revision - 20n)
    }
  }
  const lease = await store.leases.grant(600)
  await Promise.all(Array.from({ length: 6 }, writer))
  await store.leases.revoke(lease)
  await store.close()
}

interface Write {
  readonly name: string
  readonly sizeBytes: number
  readonly remove: boolean
}

async function write(store: Store, key: string, { name, sizeBytes, remove }: Write): Promise<void> {
  const value = name + 'y'.repeat(sizeBytes)
  const compares: Compare[] = [{ key, op: '=', revision: (await store.get(key))?.modRevision ?? 0n }]
  const ops = remove ? [{ type: 'delete' as const, key }] : [{ type: 'put' as const, key, value: Buffer.from(value) }]
  const twin = `${key}/twin`
  const result = await store.txn(compares, remove ? ops : [...ops, { type: 'put', key: twin, value: Buffer.from(name) }], [])
  if (!result.succeeded || (remove && !result.results[0]?.kv)) return
  const revision = Number(result.revision)
  const acks = formatAck({ key, revision, value: remove ? null : value }) + (remove ? '' : formatAck({ key: twin, revision, value: name }))
  // not through a stream: what has been told must have left the process before anything else happens
  writeSync(1, acks)
}
