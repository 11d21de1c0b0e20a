import { expect, test } from 'vitest'
import { ageSince, humanDuration } from './human-duration.ts'

const S = 1000
const M = 60 * S
const H = 60 * M
const D = 24 * H

test.each([
  [-3 * S, '<invalid>'],
  [-2 * S, '<invalid>'],
  [-1.5 * S, '0s'],
  [0, '0s'],
  [999, '0s'],
  [119 * S, '119s'],
  [2 * M, '2m'],
  [5 * M + 30 * S, '5m30s'],
  [10 * M + 30 * S, '10m'],
  [179 * M, '179m'],
  [3 * H, '3h'],
  [3 * H + 5 * M, '3h5m'],
  [8 * H + 5 * M, '8h'],
  [47 * H, '47h'],
  [2 * D, '2d'],
  [3 * D + 4 * H, '3d4h'],
  [8 * D + 4 * H, '8d'],
  [729 * D, '729d'],
  [730 * D, '2y'],
  [2 * 365 * D + 35 * D, '2y35d'],
  [8 * 365 * D + 35 * D, '8y'],
])('%d ms is %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text)
})

test('an age without a start is unknown', () => {
  expect(ageSince(undefined, 0)).toBe('<unknown>')
  expect(ageSince('', 0)).toBe('<unknown>')
  expect(ageSince('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:30Z'))).toBe('5m30s')
})
