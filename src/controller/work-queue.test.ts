import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { FakeClock } from '../base/fake-clock.ts'
import { createMetrics } from '../base/metrics.ts'
import { createRateLimiter } from './rate-limiter.ts'
import { WorkQueue } from './work-queue.ts'

const queueOn = (clock: FakeClock): WorkQueue => new WorkQueue({ name: 'test', clock })

test('hands out in order, each key once however often it was added', async () => {
  const queue = queueOn(new FakeClock())
  for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key)
  expect(queue.length).toBe(3)
  expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['a', 'b', 'c'])
})

test('a key added while it is in work comes again, afterwards', async () => {
  const queue = queueOn(new FakeClock())
  queue.add('a')
  await queue.get()
  queue.add('a')
  queue.add('a')
  queue.add('b')
  expect(await queue.get()).toBe('b')
  expect(queue.length).toBe(0)
  queue.done('a')
  expect(await queue.get()).toBe('a')
  queue.done('a')
  expect(queue.length).toBe(0)
})

test('never hands a key to two workers, and loses no wish for work', async () => {
  const step = fc.record({ action: fc.constantFrom('add', 'get', 'done'), key: fc.constantFrom('a', 'b', 'c') })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const queue = queueOn(new FakeClock())
      const working = new Set<string>()
      const wanted = new Set<string>()
      for (const { action, key } of steps) {
        if (action === 'add') {
          queue.add(key)
          wanted.add(key)
        } else if (action === 'done' && working.delete(key)) {
          queue.done(key)
        } else if (action === 'get' && queue.length > 0) {
          const got = (await queue.get()) as string
          expect(working.has(got)).toBe(false)
          working.add(got)
          wanted.delete(got)
        }
      }
      for (const key of working) queue.done(key)
      const rest: string[] = []
      while (queue.length > 0) rest.push((await queue.get()) ?? '')
      expect(rest.sort()).toEqual([...wanted].sort())
    }),
  )
})

test('waiting workers are served in the order they came', async () => {
  const queue = queueOn(new FakeClock())
  const first = queue.get()
  const second = queue.get()
  queue.add('a')
  queue.add('b')
  expect(await first).toBe('a')
  expect(await second).toBe('b')
})

test('delayed keys come in the order of their times; the earlier of two times counts', async () => {
  const clock = new FakeClock()
  const queue = queueOn(clock)
  queue.addAfter('late', 300)
  queue.addAfter('soon', 100)
  queue.addAfter('moved', 1_000)
  queue.addAfter('moved', 200)
  queue.addAfter('moved', 5_000)
  queue.addAfter('now', 0)
  const got: string[] = []
  for (const at of [0, 100, 200, 300, 10_000]) {
    await clock.advance(at - clock.monotonic())
    while (queue.length > 0) got.push(`${(await queue.get()) ?? ''}@${at}`)
  }
  expect(got).toEqual(['now@0', 'soon@100', 'moved@200', 'late@300'])
  expect(clock.timers).toBe(0)
})

test('many delayed keys need one timer and come sorted', async () => {
  const clock = new FakeClock()
  const queue = queueOn(clock)
  const delays = Array.from({ length: 500 }, (_, i) => ((i * 7919) % 500) + 1)
  for (const delay of delays) queue.addAfter(String(delay), delay)
  expect(clock.timers).toBe(1)
  await clock.advance(501)
  const got: number[] = []
  while (queue.length > 0) got.push(Number(await queue.get()))
  expect(got).toEqual([...delays].sort((a, b) => a - b))
})

test('back-off doubles from 5 ms to 1000 s and begins anew after forget', () => {
  const limiter = createRateLimiter(new FakeClock(), { perSecond: 1e9 })
  const delays = Array.from({ length: 20 }, () => limiter.next('a'))
  expect(delays.slice(0, 4)).toEqual([5, 10, 20, 40])
  expect(delays.at(-1)).toBe(1_000_000)
  expect(limiter.next('b')).toBe(5)
  expect(limiter.failures('a')).toBe(20)
  limiter.forget('a')
  expect(limiter.next('a')).toBe(5)
})

test('all retries together are held to ten a second after a burst of a hundred', async () => {
  const clock = new FakeClock()
  const limiter = createRateLimiter(clock)
  for (let i = 0; i < 100; i++) expect(limiter.next(`a${i}`)).toBe(5)
  expect(limiter.next('x')).toBe(100)
  expect(limiter.next('y')).toBe(200)
  await clock.advance(1_000)
  expect(limiter.next('z')).toBe(5)
})

test('shutting down drops what waits, takes nothing more and waits for what is in work', async () => {
  const clock = new FakeClock()
  const queue = queueOn(clock)
  queue.add('a')
  queue.add('b')
  queue.addAfter('c', 10)
  await queue.get()
  let ended = false
  const end = queue.shutDown().then(() => (ended = true))
  queue.add('d')
  expect(await queue.get()).toBeUndefined()
  expect(ended).toBe(false)
  queue.done('a')
  await end
  expect(clock.timers).toBe(0)
})

test('draining still hands out what waits', async () => {
  const queue = queueOn(new FakeClock())
  queue.add('a')
  queue.add('b')
  const end = queue.shutDown({ drain: true })
  expect([await queue.get(), await queue.get(), await queue.get()]).toEqual(['a', 'b', undefined])
  queue.done('a')
  queue.done('b')
  await end
})

test('workers that wait are let go at the end', async () => {
  const queue = queueOn(new FakeClock())
  const waiting = queue.get()
  await queue.shutDown()
  expect(await waiting).toBeUndefined()
})

test('reports its depth, waiting and working times', async () => {
  const clock = new FakeClock()
  const metrics = createMetrics()
  const queue = new WorkQueue({ name: 'test', clock, metrics })
  queue.add('a')
  queue.add('b')
  await clock.advance(2_000)
  await queue.get()
  await clock.advance(3_000)
  const during = metrics.render()
  expect(during).toContain('workqueue_depth{name="test"} 1\n')
  expect(during).toContain('workqueue_adds_total{name="test"} 2\n')
  expect(during).toContain('workqueue_queue_duration_seconds_sum{name="test"} 2\n')
  expect(during).toContain('workqueue_unfinished_work_seconds{name="test"} 3\n')
  expect(during).toContain('workqueue_longest_running_processor_seconds{name="test"} 3\n')
  queue.done('a')
  queue.addRateLimited('a')
  const after = metrics.render()
  expect(after).toContain('workqueue_work_duration_seconds_sum{name="test"} 3\n')
  expect(after).toContain('workqueue_unfinished_work_seconds{name="test"} 0\n')
  expect(after).toContain('workqueue_retries_total{name="test"} 1\n')
})
