import { FakeClock } from '../../base/fake-clock.ts'
import { describeStore } from './conformance.ts'
import type { Store } from './contract.ts'
import { MemoryBackend } from './memory-backend.ts'
import { createMemoryStore } from './memory-store.ts'

describeStore('memory store', async () => {
  const clock = new FakeClock()
  const backend = new MemoryBackend()
  const open = (): Store => createMemoryStore({ backend, clock, compaction: false })
  let store = open()
  return {
    clock,
    get store() {
      return store
    },
    async reopen() {
      await store.close()
      store = open()
    },
    dispose: () => store.close(),
  }
})
