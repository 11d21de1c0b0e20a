import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { drainCallers } from './drain-callers.ts'

async function drained(
  connections: (atMs: number) => number,
  isTold?: (atMs: number) => boolean,
): Promise<{ readonly tookMs: number; readonly told: number }> {
  const clock = new FakeClock()
  const begin = clock.monotonic()
  let told = 0
  const ended: number[] = []
  const proxy = {
    get inboundHttpConnections() {
      return connections(clock.monotonic() - begin)
    },
    drainInbound: () => void told++,
  }
  const times = isTold ? { isTold: () => isTold(clock.monotonic() - begin) } : {}
  void drainCallers(proxy, clock, times).then(() => void ended.push(clock.monotonic() - begin))
  for (let i = 0; i < 1_000 && ended.length === 0; i++) await clock.advance(10)
  return { tookMs: ended[0] ?? -1, told }
}

test('nobody is there: callers may still be on their way', async () => {
  expect((await drained(() => 0)).tookMs).toBe(300)
})

test('callers are waited for, and those that come back are sent away again', async () => {
  const { tookMs, told } = await drained((at) => (at < 200 || (at >= 400 && at < 500) ? 1 : 0))
  expect(tookMs).toBeGreaterThanOrEqual(775)
  expect(tookMs).toBeLessThanOrEqual(810)
  expect(told).toBeGreaterThan(20)
})

test('callers that stay are left after a while', async () => {
  expect((await drained(() => 1)).tookMs).toBe(5_000)
})

test('silence counts from when the control plane has told of the end, which is not waited for without end', async () => {
  const { tookMs } = await drained(
    () => 0,
    (at) => at >= 1_000,
  )
  expect(tookMs).toBeGreaterThanOrEqual(1_275)
  expect(tookMs).toBeLessThanOrEqual(1_325)
  const { tookMs: alone } = await drained(
    () => 0,
    () => false,
  )
  expect(alone).toBeGreaterThanOrEqual(2_275)
  expect(alone).toBeLessThanOrEqual(2_325)
})
