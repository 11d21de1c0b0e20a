import { describe, expect, it } from 'vitest'
import type { RetryPolicy } from '../../../policy/traffic/model/index.ts'
import type { ResponseFlag } from '../contract.ts'
import type { FixtureExchange } from './exchange-fixture.ts'
import { forwardTo, route, StackFixture } from './stack-fixture.ts'

describe('retries', () => {
  const policy = (parts: Partial<RetryPolicy> = {}): RetryPolicy => ({
    on: ['5xx'],
    attempts: 2,
    backOff: { baseMs: 25, maxMs: 250 },
    ...parts,
  })
  const retrying = (parts: Partial<RetryPolicy> = {}): StackFixture =>
    new StackFixture().cluster({}, [{}, {}, {}]).build([route(forwardTo({ retry: policy(parts) }))])

  it('tries other endpoints until one answers well', async () => {
    const fixture = retrying()
    const exchange = fixture.send()
    expect(exchange.answer(503)).toBe('discard')
    await fixture.clock.advance(0)
    exchange.fail('reset')
    await fixture.clock.advance(0)
    expect(exchange.answer(200)).toBe('send')
    expect(new Set(exchange.attempts.map(({ endpoint }) => endpoint.address)).size).toBe(3)
    expect(fixture.metric('envoy_cluster_upstream_rq_retry{envoy_cluster_name="app"}')).toBe(2)
    expect(fixture.metric('envoy_cluster_upstream_rq_retry_success{envoy_cluster_name="app"}')).toBe(1)
    expect(fixture.clusters.get('app')?.circuit).toMatchObject({ retries: 0, requests: 0 })
    expect(fixture.clusters.get('app')?.hosts.map(({ active }) => active)).toEqual([0, 0, 0])
  })

  it('gives the last answer when tries are used up', async () => {
    const fixture = retrying({ attempts: 1 })
    const exchange = fixture.send()
    exchange.answer(500)
    await fixture.clock.advance(0)
    expect(exchange.answer(502)).toBe('send')
    expect([...exchange.flags]).toEqual(['URX'])
    const failing = fixture.send()
    failing.fail('connect')
    await fixture.clock.advance(0)
    failing.fail('connect')
    expect(failing.reply?.status).toBe(503)
    expect([...failing.flags]).toEqual(['URX', 'UF'])
  })

  it.each<[string, Partial<RetryPolicy>, (exchange: FixtureExchange) => unknown, boolean]>([
    ['5xx on 200', {}, (e) => e.answer(200), false],
    ['5xx on 404', {}, (e) => e.answer(404), false],
    ['gateway-error on 500', { on: ['gateway-error'] }, (e) => e.answer(500), false],
    ['gateway-error on 502', { on: ['gateway-error'] }, (e) => e.answer(502), true],
    ['retriable-4xx', { on: ['retriable-4xx'] }, (e) => e.answer(409), true],
    ['status codes', { on: ['retriable-status-codes'], statusCodes: [404] }, (e) => e.answer(404), true],
    [
      'headers',
      { on: ['retriable-headers'], retriableResponseHeaders: [{ name: 'x', value: { exact: '1' } }] },
      (e) => e.answer(200, { x: '1' }),
      true,
    ],
    ['gRPC trailers alone', { on: ['grpc-unavailable'] }, (e) => e.answer(200, { 'grpc-status': '14' }), true],
    ['other gRPC status', { on: ['grpc-unavailable'] }, (e) => e.answer(200, { 'grpc-status': '5' }), false],
    ['connect-failure', { on: ['connect-failure'] }, (e) => e.fail('connect', true), true],
    ['connect-failure on reset', { on: ['connect-failure'] }, (e) => e.fail('reset'), false],
    ['reset', { on: ['reset'] }, (e) => e.fail('reset'), true],
    ['refused-stream', { on: ['refused-stream'] }, (e) => e.fail('refusedStream'), true],
    ['overflow', {}, (e) => e.fail('overflow'), false],
    ['other methods', { methods: ['POST'] }, (e) => e.answer(503), false],
    ['request headers', { retriableRequestHeaders: [{ name: 'x', value: { present: true } }] }, (e) => e.answer(503), false],
  ])('%s', async (_, parts, act, again) => {
    const fixture = retrying(parts)
    const exchange = fixture.send()
    act(exchange)
    await fixture.clock.advance(0)
    expect(exchange.attempts).toHaveLength(again ? 2 : 1)
  })

  it('never repeats what cannot be repeated', async () => {
    const fixture = retrying()
    const exchange = fixture.send({ endsWithHead: false })
    expect(exchange.replayLimitBytes).toBeGreaterThan(0)
    exchange.isReplayable = false
    expect(exchange.answer(503)).toBe('send')
    const stale = new StackFixture().cluster().build([route()]).send()
    stale.isReplayable = false
    stale.fail('closed', true)
    expect(stale.reply?.status).toBe(503)
  })

  it('repeats what a stale connection has swallowed, without a policy, a few times', async () => {
    const fixture = new StackFixture().cluster().build([route()])
    const exchange = fixture.send()
    for (const attempts of [2, 3]) {
      exchange.fail('closed', true)
      await fixture.clock.advance(0)
      expect(exchange.attempts).toHaveLength(attempts)
    }
    exchange.fail('closed', true)
    expect(exchange.reply).toMatchObject({ status: 503, flag: 'UC' })
    const processed = fixture.send()
    processed.fail('closed', false)
    expect(processed.reply?.status).toBe(503)
  })

  it('waits longer each time, and as long as it is asked to', async () => {
    const fixture = retrying({ rateLimitedBackOff: { headers: [{ name: 'retry-after', format: 'seconds' }], maxMs: 5_000 } })
    const exchange = fixture.send()
    fixture.random = 0.999
    exchange.answer(503)
    await fixture.clock.advance(24)
    expect(exchange.attempts).toHaveLength(1)
    await fixture.clock.advance(1)
    expect(exchange.attempts).toHaveLength(2)
    fixture.random = 0
    exchange.answer(503, { 'retry-after': '2' })
    await fixture.clock.advance(1_999)
    expect(exchange.attempts).toHaveLength(2)
    await fixture.clock.advance(1)
    expect(exchange.attempts).toHaveLength(3)
  })

  it('keeps to its budget, and gives it back when the client goes', async () => {
    const fixture = retrying({ budget: { percent: 0, minConcurrent: 1 } })
    const [first, second] = [fixture.send(), fixture.send()]
    first.answer(503)
    expect(second.answer(503)).toBe('send')
    expect(fixture.metric('envoy_cluster_upstream_rq_retry_overflow{envoy_cluster_name="app"}')).toBe(1)
    first.end()
    await fixture.clock.advance(1_000)
    expect(first.attempts).toHaveLength(1)
    expect(fixture.clusters.get('app')?.circuit).toMatchObject({ retries: 0, requests: 0 })
  })

  it('ejects endpoints that fail, and keeps sessions', () => {
    const outlierDetection = {
      intervalMs: 1_000,
      baseEjectionMs: 1_000,
      maxEjectionMs: 1_000,
      maxEjectionPercent: 50,
      splitLocalErrors: false,
      consecutive5xx: 1,
    }
    const fixture = new StackFixture()
      .cluster({ outlierDetection }, [{}, {}])
      .build([route(forwardTo({ session: { type: 'cookie', name: 's' } }))])
    const first = fixture.send()
    first.answer(200)
    const cookie = first.response?.headers.get('set-cookie')?.split(';')[0] as string
    expect(cookie).toMatch(/^s="/)
    for (let i = 0; i < 5; i++) {
      const again = fixture.send({ headers: { cookie } })
      expect(again.attempt.endpoint.address).toBe(first.attempt.endpoint.address)
      again.answer(200)
      expect(again.response?.headers.has('set-cookie')).toBe(false)
    }
    fixture.send({ headers: { cookie } }).answer(500)
    const moved = fixture.send({ headers: { cookie } })
    expect(moved.attempt.endpoint.address).not.toBe(first.attempt.endpoint.address)
    moved.answer(200)
    expect(moved.response?.headers.has('set-cookie')).toBe(true)
  })
})

describe('what endpoints are blamed for', () => {
  const breakOff = (exchange: FixtureExchange, flag?: ResponseFlag): void => {
    if (flag) exchange.flags.add(flag)
    exchange.attempt.onDone({ ok: false, durationMs: 1 })
  }
  const outlierDetection = {
    intervalMs: 1_000,
    baseEjectionMs: 1_000,
    maxEjectionMs: 1_000,
    maxEjectionPercent: 100,
    splitLocalErrors: true,
    consecutiveLocalFailures: 1,
  }
  it.each<[string, (exchange: FixtureExchange) => void, boolean]>([
    ['a response in time', (e) => void e.answer(200), false],
    ['no response in time', (e) => breakOff(e, 'UT'), true],
    ['a client that went away', (e) => breakOff(e, 'DC'), false],
    [
      'a response that broke off',
      (e) => (e.attempt.onHead({ status: 200, headers: e.request.headers, endsWithHead: false }), breakOff(e)),
      true,
    ],
    ['a failed connection', (e) => e.fail('connect', true), true],
    ['a stale connection', (e) => e.fail('closed', true), false],
    ['our own limits', (e) => e.fail('overflow'), false],
  ])('%s', (_, act, blamed) => {
    const fixture = new StackFixture().cluster({ outlierDetection }, [{}]).build([route()])
    act(fixture.send())
    expect(fixture.clusters.get('app')?.hosts[0]?.outlier.ejected).toBe(blamed)
  })
})
