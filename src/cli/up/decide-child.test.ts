import { expect, test } from 'vitest'
import { decideChild, IDLE, type ChildEvent, type ChildState } from './decide-child.ts'

type Line = readonly [atMs: number, event: ChildEvent['type'], actions: string]

/** Plays events; each answers with its actions as text. */
function play(lines: readonly Line[]): ChildState {
  let state = IDLE
  for (const [atMs, type, expected] of lines) {
    const [next, actions] = decideChild(state, { type }, atMs)
    expect(`${atMs} ${type}: ${actions.map((one) => ('delayMs' in one ? `${one.type} ${one.delayMs}` : one.type)).join(',')}`).toBe(
      `${atMs} ${type}: ${expected}`,
    )
    state = next
  }
  return state
}

test('is started again after each death, with pauses that grow while it keeps dying', () => {
  play([
    [0, 'start', 'spawn'],
    [100, 'ready', ''],
    [200, 'exited', 'pause 100'],
    [300, 'pause-over', 'spawn'],
    [400, 'exited', 'pause 200'],
    [600, 'pause-over', 'spawn'],
    [700, 'exited', 'pause 400'],
  ])
})

test('the pause is never longer than ten seconds, and short again after a long life', () => {
  const lines: Line[] = [
    [0, 'start', 'spawn'],
    [0, 'ready', ''],
  ]
  for (const pause of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    lines.push([1, 'exited', `pause ${pause}`], [1, 'pause-over', 'spawn'])
  play([...lines, [20_000, 'exited', 'pause 100']])
})

test('is given up when it dies three times before it ever worked', () => {
  const state = play([
    [0, 'start', 'spawn'],
    [10, 'exited', 'pause 100'],
    [110, 'pause-over', 'spawn'],
    [120, 'exited', 'pause 200'],
    [320, 'pause-over', 'spawn'],
    [330, 'exited', 'give-up'],
  ])
  expect(state.phase).toBe('ended')
})

test.each<[string, readonly Line[]]>([
  [
    'while it runs: asked, then done',
    [
      [0, 'start', 'spawn'],
      [1, 'stop', 'ask-to-end'],
      [2, 'exited', 'done'],
    ],
  ],
  [
    'while it does not listen: killed',
    [
      [0, 'start', 'spawn'],
      [1, 'stop', 'ask-to-end'],
      [9, 'kill', 'kill'],
      [10, 'exited', 'done'],
    ],
  ],
  [
    'before it was started: done',
    [
      [0, 'stop', 'done'],
      [1, 'start', ''],
    ],
  ],
  [
    'while it waits: done, and not started again',
    [
      [0, 'start', 'spawn'],
      [1, 'exited', 'pause 100'],
      [2, 'stop', 'done'],
      [101, 'pause-over', ''],
    ],
  ],
  [
    'twice: asked once',
    [
      [0, 'start', 'spawn'],
      [1, 'stop', 'ask-to-end'],
      [2, 'stop', ''],
    ],
  ],
  [
    'killed at once by an impatient user',
    [
      [0, 'start', 'spawn'],
      [1, 'kill', 'kill'],
      [2, 'exited', 'done'],
    ],
  ],
])('stopping %s', (_, lines) => {
  play(lines)
})
