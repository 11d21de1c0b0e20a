import { writeSync } from 'node:fs'
import { systemClock } from '../../src/base/clock.ts'
import { openLmdbStore, StoreError } from '../../src/control-plane/store/index.ts'
import { formatAck } from './acks.ts'

/**
 * Writes until the disk refuses, then shows what is left of the store: one line of JSON with the codes of the refused
 * and of the next write, whether reads go on, and the failure that the status tells.
 */
export async function fillUntilRefused(dir: string): Promise<void> {
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const codes: string[] = []
  for (let i = 0; i < 100_000 && codes.length < 2; i++) {
    const key = `/registry/things/${i}`
    const value = `v${i}-${'y'.repeat(4000)}`
    try {
      const { revision } = await store.txn([], [{ type: 'put', key, value: Buffer.from(value) }], [])
      writeSync(1, formatAck({ key, revision: Number(revision), value }))
    } catch (error) {
      codes.push(error instanceof StoreError ? error.code : String(error))
    }
  }
  const { failure } = await store.status()
  const { items } = await store.list('/registry/things/', { limit: 3 })
  await store.close()
  writeSync(1, `${JSON.stringify({ codes, failure, read: items.length })}\n`)
}
