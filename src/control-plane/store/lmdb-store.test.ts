import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
