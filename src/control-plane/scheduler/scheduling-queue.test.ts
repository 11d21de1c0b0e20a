import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClusterEvent } from './framework.ts'
import { podInfo, type PodInfo } from './pod-info.ts'
import { SchedulingQueue } from './scheduling-queue.ts'

const pod = (name: string, priority = 0, labels: Record<string, string> = {}): PodInfo =>
  podInfo({ metadata: { name, namespace: 'default', uid: name, labels }, spec: { containers: [], priority } })
const queue = (): SchedulingQueue =>
  new SchedulingQueue(
    new Map<string, readonly ClusterEvent[]>([
      ['Fit', ['NodeAdded', 'PodDeleted']],
      ['Taint', ['NodeAdded', 'NodeChanged']],
    ]),
  )
const fit = new Set(['Fit'])

test('highest priority first, then first come', () => {
  const waiting = queue()
  for (const [i, [name, priority]] of [
    ['a', 0],
    ['b', 10],
    ['c', 0],
    ['d', 10],
    ['e', 5],
  ].entries() as ArrayIterator<[number, [string, number]]>)
    waiting.add(pod(name, priority), i)
  expect(Array.from({ length: 5 }, () => waiting.pop()?.info.uid)).toEqual(['b', 'd', 'e', 'a', 'c'])
  expect(waiting.pop()).toBeUndefined()
})

test('a refused pod waits for an event that one of its filters asked for, and for its back-off', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  waiting.failed(waiting.pop()!, fit, 0)
  expect(waiting.sizes).toEqual({ active: 0, backoff: 0, unschedulable: 1 })
  waiting.event('NodeChanged', 100)
  expect(waiting.sizes.unschedulable).toBe(1)
  waiting.event('PodDeleted', 200)
  expect(waiting.sizes).toEqual({ active: 0, backoff: 1, unschedulable: 0 })
  expect(waiting.flush(999)).toBe(1_000)
  expect(waiting.pop()).toBeUndefined()
  waiting.flush(1_000)
  expect(waiting.pop()).toMatchObject({ attempts: 2, addedAtMs: 0 })
})

test('the back-off doubles up to ten seconds, and is over for who has waited', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  const delays: number[] = []
  for (let now = 0, round = 0; round < 6; round++) {
    waiting.failed(waiting.pop()!, fit, now)
    waiting.event('NodeAdded', now)
    const due = waiting.flush(now) as number
    delays.push(due - now)
    now = due
    waiting.flush(now)
  }
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  waiting.failed(waiting.pop()!, fit, 100_000)
  waiting.event('NodeAdded', 200_000)
  expect(waiting.sizes.active).toBe(1)
})

test('an event while the pod is in flight is not lost', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  waiting.add(pod('b'), 0)
  const [a, b] = [waiting.pop()!, waiting.pop()!]
  waiting.event('PodDeleted', 10)
  waiting.failed(a, fit, 20)
  waiting.failed(b, new Set(['Taint']), 20)
  expect(waiting.sizes).toEqual({ active: 0, backoff: 1, unschedulable: 1 })
})

test('a change of the pod while it is in flight is not lost either', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  const first = waiting.pop()!
  waiting.add(pod('a', 0, { changed: 'yes' }), 10)
  expect(waiting.sizes.active).toBe(0)
  waiting.failed(first, fit, 20)
  waiting.flush(2_000)
  expect(waiting.pop()?.info.pod.metadata.labels).toEqual({ changed: 'yes' })
})

test('a changed pod is tried at once, a broken attempt after its back-off, a forgotten one after five minutes', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  waiting.failed(waiting.pop()!, fit, 0)
  waiting.add(pod('a'), 10)
  const again = waiting.pop()!
  expect(again).toMatchObject({ attempts: 2, addedAtMs: 0 })
  waiting.retry(again, 10)
  expect(waiting.flush(10)).toBe(2_010)
  waiting.flush(2_010)
  waiting.failed(waiting.pop()!, fit, 3_000)
  expect(waiting.flush(3_000)).toBe(303_000)
  waiting.flush(303_000)
  expect(waiting.pop()?.attempts).toBe(4)
})

test('a pod refused by nobody (there are no nodes) is helped by anything', () => {
  const waiting = queue()
  waiting.add(pod('a'), 0)
  waiting.failed(waiting.pop()!, new Set(), 0)
  waiting.event('NodeChanged', 5_000)
  expect(waiting.sizes.active).toBe(1)
})

test('a removed pod is nowhere, wherever it was', () => {
  const waiting = queue()
  for (const name of ['active', 'backoff', 'unschedulable', 'flying']) waiting.add(pod(name, name === 'active' ? -1 : 0), 0)
  const [backoff, unschedulable, flying] = [waiting.pop()!, waiting.pop()!, waiting.pop()!]
  waiting.retry(backoff, 0)
  waiting.failed(unschedulable, fit, 0)
  for (const name of ['active', 'backoff', 'unschedulable', 'flying']) waiting.remove(name)
  waiting.failed(flying, fit, 0)
  expect(waiting.sizes).toEqual({ active: 0, backoff: 0, unschedulable: 0 })
  expect([waiting.flush(1_000_000), waiting.pop()]).toEqual([undefined, undefined])
})

test('whatever is added and removed, the rest comes out in order', () => {
  const action = fc.record({ name: fc.integer({ min: 0, max: 30 }), priority: fc.integer({ min: 0, max: 3 }), remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const waiting = queue()
      const model = new Map<string, { priority: number; at: number }>()
      for (const [at, { name, priority, remove }] of actions.entries()) {
        if (remove) {
          waiting.remove(String(name))
          model.delete(String(name))
        } else {
          waiting.add(pod(String(name), priority), at)
          model.set(String(name), { priority, at })
        }
      }
      const expected = [...model].sort(([, a], [, b]) => b.priority - a.priority || a.at - b.at).map(([name]) => name)
      expect(Array.from({ length: model.size }, () => waiting.pop()?.info.uid)).toEqual(expected)
      expect(waiting.pop()).toBeUndefined()
    }),
  )
})
