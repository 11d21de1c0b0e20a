import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { planCompaction } from './auto-compaction.ts'
import { put } from './conformance/support.ts'
import { createMemoryStore } from './memory-store.ts'

describe('planCompaction', () => {
  const samples = [
    { atMs: 0, revision: 5n },
    { atMs: 60, revision: 9n },
    { atMs: 120, revision: 14n },
  ]
  it.each([
    [100, 120, undefined, 3],
    [100, 100, 5n, 2],
    [165, 100, 9n, 1],
    [1000, 100, 14n, 0],
  ])('at %s ms with a retention of %s ms compacts to %s', (now, retention, revision, left) => {
    const plan = planCompaction(samples, now, retention)
    expect(plan.revision).toBe(revision)
    expect(plan.keep).toHaveLength(left)
  })
})

describe('automatic compaction', () => {
  it('keeps at least the retention and at most one interval more', async () => {
    const clock = new FakeClock()
    const store = createMemoryStore({ clock, compaction: { retentionMs: 300_000, intervalMs: 60_000 } })
    for (let minute = 0; minute < 12; minute++) {
      await put(store, '/a', String(minute))
      await clock.advance(60_000)
    }
    // one write a minute: the compact revision lags by the retention in minutes, at most one more
    const { revision, compactRevision } = await store.status()
    expect(Number(revision - compactRevision)).toBeGreaterThanOrEqual(5)
    expect(Number(revision - compactRevision)).toBeLessThanOrEqual(6)
    await store.close()
    expect(clock.timers).toBe(0)
  })

  it('does nothing to an idle store, and can be off', async () => {
    const clock = new FakeClock()
    const idle = createMemoryStore({ clock })
    const off = createMemoryStore({ clock, compaction: false })
    await put(off, '/a')
    await clock.advance(3_600_000)
    expect((await idle.status()).compactRevision).toBe(1n)
    expect((await off.status()).compactRevision).toBe(0n)
    await Promise.all([idle.close(), off.close()])
  })
})
