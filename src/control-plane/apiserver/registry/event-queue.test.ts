import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'

const read = async (queue: EventQueue<number>): Promise<number[]> => {
  const seen: number[] = []
  for await (const item of queue) seen.push(item)
  return seen
}

test('gives what was pushed, in order, then ends', async () => {
  const queue = new EventQueue<number>(10)
  for (const item of [1, 2, 3]) queue.push(item)
  queue.end()
  queue.push(4)
  expect(await read(queue)).toEqual([1, 2, 3])
})

test('hands over to a reader that waits', async () => {
  const queue = new EventQueue<number>(1)
  const seen = read(queue)
  for (const item of [1, 2, 3]) {
    queue.push(item)
    await Promise.resolve()
    await Promise.resolve()
    await Promise.resolve()
  }
  queue.end()
  expect(await seen).toEqual([1, 2, 3])
})

test('a reader that falls behind gets nothing more', async () => {
  const queue = new EventQueue<number>(2)
  for (const item of [1, 2, 3]) queue.push(item)
  expect(queue.ended).toBe(true)
  expect(await read(queue)).toEqual([])
})

test('abort wakes a reader that waits and drops the rest', async () => {
  const queue = new EventQueue<number>(2)
  const next = queue.next()
  queue.abort()
  expect(await next).toEqual({ value: undefined, done: true })
})
