import { describe, expect, it } from 'vitest'
import type { Clock } from '../../base/clock.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { Lessor } from './lessor.ts'

describe('Lessor', () => {
  it('tries an expiry again that could not be carried out', async () => {
    const clock = new FakeClock()
    const tried: number[] = []
    const lessor = new Lessor(clock, (id) => {
      tried.push(clock.monotonic())
      if (tried.length === 3) lessor.take(BigInt(id))
    })
    lessor.add(7, 1)
    await clock.advance(5_000)
    expect(tried).toEqual([1000, 1100, 1200])
    expect(clock.timers).toBe(0)
  })

  it('wakes for the earliest lease, whatever the order of the grants', async () => {
    const clock = new FakeClock()
    const expired: string[] = []
    const lessor = new Lessor(clock, (id) => {
      expired.push(`${id}@${clock.monotonic()}`)
      lessor.take(BigInt(id))
    })
    lessor.add(1, 30)
    lessor.add(2, 10)
    lessor.add(3, 20)
    await clock.advance(60_000)
    expect(expired).toEqual(['2@10000', '3@20000', '1@30000'])
  })

  // a holder that was paused with the process must not save a lease whose time was over (compare etcd #20418, #15247)
  it('does not renew a lease whose time is over, even before the timer has run', () => {
    let now = 0
    const late: Clock = { now: () => now, monotonic: () => now, after: () => ({ cancel: () => {} }) }
    const lessor = new Lessor(late, () => {})
    lessor.add(7, 1)
    now = 1000
    expect(() => lessor.keepAlive(7n)).toThrow(expect.objectContaining({ code: 'LeaseNotFound' }))
  })
})
