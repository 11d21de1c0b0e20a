import { randomBytes } from 'node:crypto'
import { systemClock } from '../../base/clock.ts'
import type { Backend } from './backend.ts'
import { MemoryBackend } from './memory-backend.ts'
import type { StoreOptions } from './mvcc-store.ts'
import { MvccStore } from './mvcc-store.ts'

export interface MemoryStoreOptions extends Partial<Omit<StoreOptions, 'gather' | 'onClosed'>> {
  /** What to load from and commit to. Default: an empty MemoryBackend. */
  readonly backend?: Backend
}

/**
 * A store that forgets everything when the process ends: for tests and throw-away clusters. Same semantics as the
 * durable one; a commit takes one microtask, so that a fake clock carries it along.
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): MvccStore {
  const { backend = new MemoryBackend(), clock = systemClock, random = randomBytes, ...others } = options
  return MvccStore.open(backend, { ...others, clock, random, gather: () => Promise.resolve() })
}
