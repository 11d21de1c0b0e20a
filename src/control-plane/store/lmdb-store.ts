import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { silentLogger } from '../../base/log.ts'
import type { Store, StoreError } from './contract.ts'

import { currentProcess, lockDirectory } from './directory-lock.ts'
import { LmdbBackend } from './lmdb-backend.ts'
import type { StoreOptions } from './mvcc-store.ts'
import { MvccStore, newClusterId } from './mvcc-store.ts'
import { verifyInChild } from './verify-store.ts'

export interface LmdbStoreOptions extends Omit<StoreOptions, 'gather' | 'onClosed' | 'random'> {
  /** Data directory; made with mode 0700 when absent. One process at a time. */
  readonly dir: string
  /** Command and arguments that check a directory (see `verifyInChild`): run first when the last owner did not stop in an orderly way. */
  readonly verifyArgv?: readonly string[]
  readonly random?: (bytes: number) => Uint8Array
}

/**
 * Opens the durable store in `dir`, or makes one there. A write is answered after it has been flushed to the disk.
 *
 * @throws StoreError `Locked`, `Corrupt`, or `ReadOnly` when the disk refuses a new database
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const { dir, verifyArgv, random = randomBytes, log = silentLogger, ...others } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockDirectory(dir, currentProcess(), random)
  const backend = new LmdbBackend({ dir })
  try {
    if (!backend.exists) await backend.create({ clusterId: newClusterId(random), lastRevision: 1, compactRevision: 0 })
    else if (!lock.isClean && verifyArgv) {
      log.info('the last owner did not stop in an orderly way, checking the store', { dir })
      await verifyInChild(verifyArgv, dir)
    }
    const onClosed = async (failure: StoreError | undefined): Promise<void> => lock.release(failure === undefined)
    return MvccStore.open(backend, { ...others, random, log, onClosed })
  } catch (error) {
    await backend.close()
    lock.release(false)
    throw error
  }
}
