import { generateKeyPairSync } from 'node:crypto'
import { exportJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { JwtProvider, Tracing } from '../../../policy/traffic/model/index.ts'
import { parseTraceparent, type Span } from '../../../protocols/tracing/index.ts'
import { testExchange, type TestExchange } from './exchange-fixture.ts'
import { claimsOf, claimTexts, createJwtLayer, createTracingLayer, SpanExporter, Tap, type TapEvent } from './index.ts'

const NOW = Date.UTC(2030, 0, 1)

describe('JWT', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const token = (claims: Record<string, unknown> = {}, kid = 'a', key = keys.privateKey): Promise<string> =>
    new SignJWT({ iss: 'https://i', aud: 'shop', sub: 'me', exp: NOW / 1000 + 60, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(key)
  const jwks = async (kid = 'a'): Promise<string> => JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid }] })

  async function run(
    exchange: TestExchange,
    more: { readonly required?: boolean; readonly provider?: Partial<JwtProvider>; readonly fetch?: () => Promise<string> } = {},
  ): Promise<'passed' | 'refused'> {
    const provider: JwtProvider = {
      name: 'p',
      issuer: 'https://i',
      audiences: ['shop'],
      forward: false,
      ...(more.fetch ? { remoteJwks: { uri: '/keys', cluster: 'issuer', timeoutMs: 1000, cacheMs: 60_000 } } : { jwks: await jwks() }),
      ...more.provider,
    }
    const filter = { type: 'jwt', name: 'jwt', providers: [provider], required: more.required ?? true } as const
    const jwt = createJwtLayer(filter, {
      fetch: more.fetch ?? (() => Promise.reject(new Error('not asked'))),
      clock: new FakeClock(NOW),
    })
    const state = { passed: false }
    jwt.layer(() => (state.passed = true))(exchange)
    for (let i = 0; i < 20 && !state.passed && exchange.replies.length === 0; i++) await new Promise((resolve) => setImmediate(resolve))
    jwt.close()
    expect(state.passed).toBe(exchange.replies.length === 0)
    return state.passed ? 'passed' : 'refused'
  }
  const bearer = (text: string): TestExchange => testExchange({ headers: { authorization: `Bearer ${text}`, 'x-sub': 'forged' } })

  it('passes on a good token: its claims are known, the token itself stays here, headers are not the client’s to set', async () => {
    const exchange = bearer(await token({ realm: { roles: ['admin', 'dev'] } }))
    expect(await run(exchange, { provider: { claimsToHeaders: [{ claim: 'sub', header: 'x-sub' }] } })).toBe('passed')
    expect(exchange.request.headers.get('authorization')).toBeUndefined()
    expect(exchange.request.headers.getAll('x-sub')).toEqual(['me'])
    expect(claimTexts(claimsOf(exchange) ?? {}, 'realm.roles')).toEqual(['admin', 'dev'])
    expect(claimTexts(claimsOf(exchange) ?? {}, 'realm.nothing')).toEqual([])
  })

  it.each([
    ['there is none', () => Promise.resolve(testExchange()), 'Jwt is missing'],
    ['it has expired', async () => bearer(await token({ exp: NOW / 1000 - 100 })), 'Jwt is expired'],
    ['it is of another issuer', async () => bearer(await token({ iss: 'https://o' })), 'Jwt issuer is not configured'],
    ['it is for somebody else', async () => bearer(await token({ aud: 'bank' })), 'Audiences in Jwt are not allowed'],
    [
      'it is signed by another key',
      async () => bearer(await token({}, 'a', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)),
      'Jwt verification fails',
    ],
    [
      'it is none',
      () => Promise.resolve(bearer('rubbish')),
      'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    ],
  ])('refuses a request when %s', async (_, make, body) => {
    const exchange = await make()
    expect(await run(exchange)).toBe('refused')
    expect(exchange.replies[0]).toMatchObject({ status: 401, body })
    expect(exchange.replies[0]?.headers?.[0]?.value).toMatch(/^Bearer realm="http:\/\/web\/"/)
  })

  it('lets requests without a token pass where none is required, but none with a bad one', async () => {
    expect(await run(testExchange(), { required: false })).toBe('passed')
    expect(await run(bearer(await token({ exp: 1 })), { required: false })).toBe('refused')
  })

  it('finds tokens in other headers and in the query', async () => {
    const text = await token()
    expect(await run(testExchange({ headers: { 'x-token': text } }), { provider: { fromHeaders: [{ name: 'x-token' }] } })).toBe('passed')
    expect(
      await run(testExchange({ path: `/?access_token=${text}` }), { provider: { fromHeaders: [], fromParams: ['access_token'] } }),
    ).toBe('passed')
  })

  it('fetches keys, and again when a token names one that is not there', async () => {
    let asked = 0
    expect(await run(bearer(await token()), { fetch: () => (asked++, jwks()) })).toBe('passed')
    expect(asked).toBe(1)
    const away = bearer(await token())
    expect(await run(away, { fetch: () => Promise.reject(new Error('nobody')) })).toBe('refused')
    expect(away.replies[0]?.body).toBe('Jwks remote fetch is failed')
  })

  it.each(['the keys come', 'there are none'])('does nothing for a client that has gone before %s', async (how) => {
    const exchange = bearer(await token())
    let settle = (): void => {}
    const keys = new Promise<string>((resolve, reject) => {
      settle = () => void (how === 'the keys come' ? jwks().then(resolve) : reject(new Error('nobody')))
    })
    const provider = { name: 'p', issuer: 'https://i', audiences: ['shop'], forward: false, remoteJwks: REMOTE }
    const clock = new FakeClock(NOW)
    const jwt = createJwtLayer({ type: 'jwt', name: 'jwt', providers: [provider], required: true }, { fetch: () => keys, clock })
    let passed = false
    jwt.layer(() => (passed = true))(exchange)
    exchange.end({ flags: new Set(['DC']) })
    settle()
    await keys.catch(() => {})
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    jwt.close()
    expect([passed, exchange.replies, claimsOf(exchange)]).toEqual([false, [], undefined])
  })
})

const REMOTE = { uri: '/keys', cluster: 'issuer', timeoutMs: 1000, cacheMs: 60_000 }

const TRACING: Tracing = {
  backend: { type: 'otlp', endpoint: 'collector:4318' },
  overall: 100,
  client: 100,
  random: 100,
  tags: [
    { name: 'team', literal: 'a' },
    { name: 'who', header: { name: 'x-who', default: 'nobody' } },
  ],
}

describe('tracing', () => {
  const trace = (exchange: TestExchange, tracing = TRACING): Span[] => {
    const spans: Span[] = []
    createTracingLayer({
      tracing,
      kind: 'server',
      exporter: { add: (span) => void spans.push(span) },
      clock: new FakeClock(NOW),
      random: () => 0.5,
    })(() => {})(exchange)
    exchange.end()
    return spans
  }

  it('begins a trace, and continues one', () => {
    const fresh = testExchange({ path: '/a?secret=1' })
    const [span] = trace(fresh)
    expect(parseTraceparent(fresh.request.headers.get('traceparent') ?? '')).toMatchObject({
      traceId: span?.traceId,
      spanId: span?.spanId,
      sampled: true,
    })
    expect(span).toMatchObject({
      name: 'GET /a',
      attributes: { team: 'a', who: 'nobody', 'url.path': '/a', 'http.response.status_code': 200 },
    })
    const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
    const [child] = trace(testExchange({ headers: { traceparent: `00-${parent.traceId}-${parent.spanId}-01` } }))
    expect(child).toMatchObject({ traceId: parent.traceId, parentSpanId: parent.spanId })
  })

  it('leaves alone what the client does not want sampled, and what chance leaves out', () => {
    const off = testExchange({ headers: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00` } })
    expect(trace(off)).toEqual([])
    expect(off.request.headers.get('traceparent')).toMatch(new RegExp(`^00-${'a'.repeat(32)}-(?!b{16})[0-9a-f]{16}-00$`))
    expect(trace(testExchange(), { ...TRACING, random: 10 })).toEqual([])
  })

  it('sends spans in batches, keeps some while nobody takes them, and no more', async () => {
    const clock = new FakeClock(NOW)
    const bodies: string[] = []
    let away = true
    const exporter = new SpanExporter({
      backend: TRACING.backend,
      service: 'web',
      resource: {},
      post: (url, body) => (away ? Promise.reject(new Error('away')) : Promise.resolve(void bodies.push(`${url} ${body.length > 0}`))),
      clock,
      log: silentLogger,
    })
    const span: Span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'x', kind: 'server', startMs: 1, endMs: 2, attributes: {} }
    for (let i = 0; i < 5000; i++) exporter.add(span)
    await clock.advance(10_000)
    expect([exporter.sent, exporter.dropped]).toEqual([0, 904])
    away = false
    await clock.advance(2_000)
    expect(exporter.sent).toBe(4096)
    expect(bodies).toEqual(Array.from({ length: 8 }, () => 'http://collector:4318/v1/traces true'))
  })
})

describe('tap', () => {
  it('shows requests to those who watch, without secrets', () => {
    const tap = new Tap(new FakeClock(NOW))
    const seen: TapEvent[] = []
    const stop = tap.watch({ pathPrefix: '/a', headers: true }, (event) => void seen.push(event))
    const send = (path: string, status = 200): void => {
      const exchange = testExchange({ path, headers: { authorization: 'Bearer x', accept: '*/*' } }, 'spiffe://d/ns/a/sa/b')
      tap.layer('inbound')(() => {})(exchange)
      exchange.end({ status })
    }
    send('/a/1')
    send('/b')
    stop()
    send('/a/2')
    expect(seen).toEqual([
      expect.objectContaining({
        path: '/a/1',
        status: 200,
        source: { address: '10.0.0.9', identity: 'spiffe://d/ns/a/sa/b' },
        requestHeaders: { authorization: '<hidden>', accept: '*/*' },
      }),
    ])
  })

  it('is bounded: so many watchers, so many events in a second', async () => {
    const clock = new FakeClock(NOW)
    const tap = new Tap(clock)
    let seen = 0
    for (let i = 0; i < 8; i++) tap.watch({ minStatus: 500 }, () => {})
    expect(() => tap.watch({}, () => {})).toThrow(/watch this proxy already/)
    const busy = new Tap(clock)
    busy.watch({}, () => seen++)
    const burst = (): void => {
      for (let i = 0; i < 1000; i++) {
        const exchange = testExchange()
        busy.layer('inbound')(() => {})(exchange)
        exchange.end()
      }
    }
    burst()
    expect([seen, busy.skipped]).toEqual([500, 500])
    await clock.advance(1_000)
    burst()
    expect(seen).toBe(1000)
  })
})
