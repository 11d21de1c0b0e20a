import { expect, test } from 'vitest'
import { FakeClock } from '../base/fake-clock.ts'
import { ControllerExpectations } from './expectations.ts'

test('nothing expected is satisfied', () => {
  expect(new ControllerExpectations(new FakeClock()).satisfied('a')).toBe(true)
})

test('creations are satisfied when all were seen, or failed', () => {
  const expectations = new ControllerExpectations(new FakeClock())
  expectations.expectCreations('a', 3)
  expectations.creationObserved('a')
  expectations.creationObserved('b')
  expect(expectations.satisfied('a')).toBe(false)
  expectations.creationObserved('a', 2)
  expect(expectations.satisfied('a')).toBe(true)
})

test('one deletion seen twice counts once, one not expected does not count', () => {
  const expectations = new ControllerExpectations(new FakeClock())
  expectations.expectDeletions('a', ['x', 'y'])
  for (const child of ['x', 'x', 'z']) expectations.deletionObserved('a', child)
  expect(expectations.satisfied('a')).toBe(false)
  expectations.deletionObserved('a', 'y')
  expect(expectations.satisfied('a')).toBe(true)
})

test('creations seen before they were expected do not make up for later ones', () => {
  const expectations = new ControllerExpectations(new FakeClock())
  expectations.creationObserved('a', 5)
  expectations.expectCreations('a', 1)
  expect(expectations.satisfied('a')).toBe(false)
})

test('what never comes is given up after five minutes, and does not burden what follows', async () => {
  const clock = new FakeClock()
  const expectations = new ControllerExpectations(clock)
  expectations.expectCreations('a', 2)
  await clock.advance(5 * 60_000)
  expect(expectations.satisfied('a')).toBe(false)
  await clock.advance(1)
  expect(expectations.satisfied('a')).toBe(true)
  expectations.expectCreations('a', 1)
  expectations.creationObserved('a')
  expect(expectations.satisfied('a')).toBe(true)
})

test('forgetting a controller ends its expectations', () => {
  const expectations = new ControllerExpectations(new FakeClock())
  expectations.expectDeletions('a', ['x'])
  expectations.forget('a')
  expect(expectations.satisfied('a')).toBe(true)
})
