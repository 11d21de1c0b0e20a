import { afterEach, beforeEach, describe } from 'vitest'
import type { FakeClock } from '../../base/fake-clock.ts'
import { describeCompaction } from './conformance/compaction.ts'
import { describeLeases } from './conformance/leases.ts'
import { describeReads } from './conformance/reads.ts'
import { describeRestart } from './conformance/restart.ts'
import { describeTransactions } from './conformance/transactions.ts'
import { describeWatches } from './conformance/watches.ts'
import type { Store } from './contract.ts'

/** A store under test, with automatic compaction off. */
export interface StoreHarness {
  readonly store: Store
  /** The store's clock. */
  readonly clock: FakeClock
  /** Closes the store and opens it again over the same data; `store` is the new one. */
  reopen(): Promise<void>
  /** Closes the store and removes its data. */
  dispose(): Promise<void>
}

/** Gives a test the harness of the moment. */
export type Subject = () => StoreHarness

/** What every implementation of `Store` has to pass. `create` makes an empty store; it is called once per test. */
export function describeStore(name: string, create: () => Promise<StoreHarness>): void {
  describe(name, () => {
    let harness: StoreHarness
    beforeEach(async () => {
      harness = await create()
    })
    afterEach(() => harness.dispose())
    const subject: Subject = () => harness
    describeTransactions(subject)
    describeReads(subject)
    describeWatches(subject)
    describeCompaction(subject)
    describeLeases(subject)
    describeRestart(subject)
  })
}
