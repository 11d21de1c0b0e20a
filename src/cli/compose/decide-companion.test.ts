import { expect, test } from 'vitest'
import { decideCompanion, NO_HISTORY, type CompanionAction, type CompanionView } from './decide-companion.ts'

const old = { pid: 1, startTicks: '1', launch: 'a' }
const next = { pid: 2, startTicks: '2', launch: 'b' }

/** Each line: what is seen, and what is done. */
function transcript(lines: readonly (readonly [atMs: number, seen: Partial<CompanionView>, action: CompanionAction])[]): void {
  let history = NO_HISTORY
  for (const [nowMs, seen, action] of lines) {
    const [found, after] = decideCompanion({ wanted: 'a', successorReady: false, ...seen, nowMs }, history, () => 0)
    expect([nowMs, found]).toEqual([nowMs, action])
    history = after
  }
}

test('starts, and starts anew after a death, with growing pauses', () =>
  transcript([
    [0, {}, 'start'],
    [250, { running: old }, 'wait'],
    [500, {}, 'wait'],
    [600, {}, 'wait'],
    [750, {}, 'start'],
    [1_000, {}, 'wait'],
    [1_300, {}, 'wait'],
    [1_400, {}, 'start'],
    [1_500, { running: old }, 'wait'],
    // it has lived long enough to start from the beginning
    [20_000, {}, 'wait'],
    [20_200, {}, 'start'],
  ]))

test('one that does not start at all is tried for ever', () => {
  let history = NO_HISTORY
  let starts = 0
  for (let nowMs = 0; nowMs < 120_000; nowMs += 250) {
    const [action, after] = decideCompanion({ wanted: 'a', successorReady: false, nowMs }, history, () => 0)
    history = after
    if (action === 'start') starts++
  }
  expect(starts).toBeGreaterThan(12)
  expect(starts).toBeLessThan(25)
})

test('what an earlier agent started is left alone', () =>
  transcript([
    [0, { running: old }, 'wait'],
    [250, { running: old }, 'wait'],
  ]))

test('one with other flags ends once its successor serves', () =>
  transcript([
    [0, { running: old, wanted: 'b' }, 'start-successor'],
    [250, { running: old, successor: next, wanted: 'b' }, 'wait'],
    [500, { running: old, successor: next, successorReady: true, wanted: 'b' }, 'promote'],
    [750, { running: next, wanted: 'b' }, 'wait'],
  ]))

test('a successor that does not serve is given up for a while, the old one goes on', () =>
  transcript([
    [0, { running: old, wanted: 'b' }, 'start-successor'],
    [60_000, { running: old, successor: next, wanted: 'b' }, 'wait'],
    [60_250, { running: old, successor: next, wanted: 'b' }, 'drop-successor'],
    [60_300, { running: old, wanted: 'b' }, 'wait'],
    [60_500, { running: old, wanted: 'b' }, 'start-successor'],
  ]))

test('the old one dies before the successor serves', () =>
  transcript([
    [0, { running: old, wanted: 'b' }, 'start-successor'],
    [250, { successor: next, wanted: 'b' }, 'promote'],
    [500, { running: next, wanted: 'b' }, 'wait'],
  ]))
