import { expect, test } from 'vitest'
import { ContainerTrack } from './container-track.ts'
import { afterExit, type BackOffState } from './back-off.ts'
import { statusOf } from './view-fixture.ts'

test('the first restart comes at once, then 10 s doubling up to 300 s', () => {
  let state: BackOffState | undefined
  const delays = Array.from({ length: 8 }, (_, i) => {
    state = afterExit(state, i * 1_000_000, 500)
    return (state.notBeforeMs - i * 1_000_000) / 1000
  })
  expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300])
})

test.each([
  [599_999, 40_000],
  [600_000, 0],
])('after a run of %i ms the delay is %i ms', (ranMs, delayMs) => {
  expect(afterExit({ delayMs: 20_000, notBeforeMs: 0 }, 7, ranMs)).toEqual({ delayMs, notBeforeMs: 7 + delayMs })
})

test('a track counts each exit once and keeps the last two starts', () => {
  const track = new ContainerTrack()
  track.set(statusOf('main', 'running'))
  expect(track.countExit(0)).toBe(false)
  track.set(statusOf('main', 'exited:1'))
  expect([track.countExit(0), track.countExit(0)]).toEqual([true, false])
  track.set(statusOf('main', 'created#1'))
  track.set(statusOf('main', 'running#1'))
  expect(track.takeOld()).toEqual([])
  expect([track.current?.id, track.previous?.id]).toEqual(['u1/main/1', 'u1/main/0'])
  track.set(statusOf('main', 'exited:1#1'))
  expect(track.countExit(0)).toBe(true)
  expect(track.backOff).toEqual({ delayMs: 10_000, notBeforeMs: 10_000 })
  track.set(statusOf('main', 'created#2'))
  expect(track.takeOld().map(({ id }) => id)).toEqual(['u1/main/0'])
  // a missing ConfigMap is retried soon, but the crashes before it are not forgiven
  track.retryAt(5)
  expect(track.backOff).toEqual({ delayMs: 10_000, notBeforeMs: 5 })
})
