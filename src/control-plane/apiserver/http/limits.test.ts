import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { createFloodGuard } from './flood-guard.ts'
import { createInFlight } from './in-flight.ts'
import { firstOf, flagOf, parseQuery } from './query.ts'

test('places are kept apart for reads and writes, and come back', () => {
  const metrics = createMetrics()
  const inFlight = createInFlight({ maxReadOnly: 2, maxMutating: 1, metrics })
  const first = inFlight.enter(false)
  inFlight.enter(false)
  expect(() => inFlight.enter(false)).toThrow(expect.objectContaining({ reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } }))
  inFlight.enter(true)
  expect(() => inFlight.enter(true)).toThrow(expect.objectContaining({ reason: 'TooManyRequests' }))
  expect(metrics.render()).toContain('apiserver_current_inflight_requests{request_kind="readOnly"} 2')
  first()
  expect(() => inFlight.enter(false)).not.toThrow()
})

test('resets are allowed in a burst, then at a rate', async () => {
  const clock = new FakeClock()
  const guard = createFloodGuard(clock, { burst: 3, perSecond: 2 })
  const tries = (n: number): boolean[] => Array.from({ length: n }, () => guard.allow())
  expect(tries(4)).toEqual([true, true, true, false])
  await clock.advance(500)
  expect(tries(2)).toEqual([true, false])
  await clock.advance(60_000)
  expect(tries(4)).toEqual([true, true, true, false])
})

test('a query keeps repeated parameters and any name', () => {
  const query = parseQuery('a=1&a=2&b=&__proto__=x&c=%20d+e')
  expect(query['a']).toEqual(['1', '2'])
  expect(firstOf(query, 'a')).toBe('1')
  expect(firstOf(query, 'c')).toBe(' d e')
  expect(query['__proto__']).toBe('x')
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  expect(() => parseQuery('a=%z')).toThrow(expect.objectContaining({ reason: 'BadRequest' }))
})

test.each([
  ['', false],
  ['watch', true],
  ['watch=1', true],
  ['watch=true', true],
  ['watch=False', false],
  ['watch=0', false],
])('%j asks for a watch: %j', (text, wanted) => {
  expect(flagOf(parseQuery(text), 'watch')).toBe(wanted)
})
