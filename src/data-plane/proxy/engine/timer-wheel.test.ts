import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { TimerWheel } from './timer-wheel.ts'

describe('TimerWheel', () => {
  it('fires never early and at most a tick late, whatever the distance', async () => {
    for (const ms of [1, 19, 20, 21, 5_119, 5_120, 5_121, 15_000, 300_000, 1_310_719, 1_310_720, 3_600_000]) {
      const clock = new FakeClock()
      const wheel = new TimerWheel(clock)
      await clock.advance(7)
      let firedMs = -1
      wheel.deadline(() => (firedMs = clock.monotonic() - 7)).set(ms)
      await clock.advance(ms - 1)
      expect(firedMs).toBe(-1)
      await clock.advance(42)
      expect(firedMs).toBeGreaterThanOrEqual(ms)
      expect(firedMs).toBeLessThanOrEqual(ms + 40)
    }
  }, 60_000)

  it('keeps nothing of what was cancelled, and stops its timer when nothing is left', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const all = Array.from({ length: 1_000 }, (_, i) => {
      const one = wheel.deadline(() => expect.unreachable())
      one.set(1 + i * 300)
      return one
    })
    expect(wheel.size).toBe(1_000)
    for (const one of all) one.cancel()
    expect(wheel.size).toBe(0)
    await clock.advance(50)
    expect(clock.timers).toBe(0)
  })

  it('agrees with a plain list of times, under any order of setting, moving and cancelling', async () => {
    const step = fc.record({
      which: fc.nat(5),
      ms: fc.constantFrom(0, 15, 90, 4_000, 6_000, 20_000),
      waitMs: fc.constantFrom(0, 10, 500, 5_300),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const clock = new FakeClock()
        const wheel = new TimerWheel(clock)
        const wanted = new Map<number, number>()
        const fired: number[] = []
        const late: number[] = []
        const all = Array.from({ length: 6 }, (_, i) =>
          wheel.deadline(() => {
            fired.push(i)
            late.push(clock.monotonic() - (wanted.get(i) ?? Infinity))
            wanted.delete(i)
          }),
        )
        for (const { which, ms, waitMs } of steps) {
          all[which]?.set(ms)
          if (ms > 0) wanted.set(which, clock.monotonic() + ms)
          else wanted.delete(which)
          await clock.advance(waitMs)
          for (const at of wanted.values()) expect(at).toBeGreaterThan(clock.monotonic() - 41)
        }
        await clock.advance(21_000)
        expect(wanted.size).toBe(0)
        expect(wheel.size).toBe(0)
        for (const ms of late) expect(ms >= 0 && ms <= 40).toBe(true)
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  it('lets a deadline that fires cancel its neighbours and set itself again', async () => {
    const clock = new FakeClock()
    const wheel = new TimerWheel(clock)
    const fired: string[] = []
    const first = wheel.deadline(() => {
      fired.push('first')
      second.cancel()
      if (fired.length < 3) first.set(5)
    })
    const second = wheel.deadline(() => fired.push('second'))
    first.set(10)
    second.set(10)
    await clock.advance(200)
    expect(fired).toEqual(['first', 'first', 'first'])
  })
})
