import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { describeStore } from './conformance.ts'
import type { Store } from './contract.ts'
import { openLmdbStore } from './lmdb-store.ts'

describeStore('lmdb store', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lmdb-store-'))
  const clock = new FakeClock()
  const open = (): Promise<Store> => openLmdbStore({ dir, clock, compaction: false })
  let store = await open()
  return {
    clock,
    get store() {
      return store
    },
    async reopen() {
      await store.close()
      store = await open()
    },
    async dispose() {
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
})

it('lets nobody else read the database of an lmdb store', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lmdb-store-'))
  const store = await openLmdbStore({ dir, clock: new FakeClock(), compaction: false })
  expect(statSync(join(dir, 'store.mdb')).mode & 0o777).toBe(0o600)
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})
