import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

test.each([
  [1, {}, 0, 100],
  [2, {}, 0, 200],
  [4, {}, 0, 800],
  [5, {}, 0, 1000],
  [5000, {}, 0, 1000],
  [0, {}, 0, 100],
  [3, { factor: 1 }, 0, 100],
  [2, { jitter: 1 }, 0.5, 300],
])('failure %i with %j waits %f -> %i ms', (failures, options, random, want) => {
  expect(backoffMs(failures, { baseMs: 100, maxMs: 1000, ...options }, () => random)).toBe(want)
})
