import { expect, test } from 'vitest'
import { StatusError } from '../base/errors.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { retryOnConflict } from './retry-on-conflict.ts'

/** Fails with these reasons in turn, then succeeds. */
function failing(...reasons: ('Conflict' | 'Invalid')[]): { write: () => Promise<string>; calls: () => number } {
  let calls = 0
  const write = async (): Promise<string> => {
    const reason = reasons[calls++]
    if (reason) throw new StatusError(reason, 'no')
    return 'written'
  }
  return { write, calls: () => calls }
}

test('tries again 10 ms after a conflict', async () => {
  const clock = new FakeClock()
  const { write, calls } = failing('Conflict', 'Conflict')
  const outcome = retryOnConflict(write, { clock })
  await clock.advance(19)
  expect(calls()).toBe(2)
  await clock.advance(1)
  expect(await outcome).toBe('written')
})

test('gives up after five attempts with the conflict', async () => {
  const clock = new FakeClock()
  const { write, calls } = failing(...Array<'Conflict'>(9).fill('Conflict'))
  const outcome = retryOnConflict(write, { clock }).catch((error: unknown) => error)
  await clock.advance(1_000)
  expect(await outcome).toMatchObject({ reason: 'Conflict' })
  expect(calls()).toBe(5)
})

test('anything else is not tried again', async () => {
  const { write, calls } = failing('Invalid')
  await expect(retryOnConflict(write, { clock: new FakeClock() })).rejects.toMatchObject({ reason: 'Invalid' })
  expect(calls()).toBe(1)
})
