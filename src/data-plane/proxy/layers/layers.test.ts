import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { INVALID_CLUSTER, type HttpFilter, type Rbac } from '../../../policy/traffic/model/index.ts'
import type { UpstreamFailure } from '../contract.ts'
import { MetricTable } from '../telemetry/metric-table.ts'
import { connectionStats } from '../telemetry/stats.ts'
import { createConnectionJudge } from './access.ts'
import { FixtureExchange } from './exchange-fixture.ts'
import { forwardTo, route, StackFixture } from './stack-fixture.ts'
import { TokenBucketState } from './token-bucket.ts'

const app = (...routes: Parameters<typeof route>): StackFixture => new StackFixture().cluster().build([route(...routes)])

describe('the way of a request', () => {
  it('goes to an endpoint and back, counted', () => {
    const fixture = app()
    const exchange = fixture.send()
    expect(exchange.attempt.endpoint.address).toBe('10.0.1.1:80')
    expect(fixture.metric('envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="test"}')).toBe(1)
    expect(exchange.timeouts).toEqual({ idle: 300_000, response: 15_000 })
    expect(exchange.answer(201)).toBe('send')
    for (const [line, value] of [
      ['envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix="test"}', 0],
      ['envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="test"}', 1],
      ['envoy_cluster_upstream_rq_total{envoy_cluster_name="app"}', 1],
      ['envoy_cluster_upstream_rq{envoy_response_code="201",envoy_cluster_name="app"}', 1],
      ['envoy_cluster_upstream_rq_active{envoy_cluster_name="app"}', 0],
      ['envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix="test"}', 1],
      ['envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="app",le="1"}', 1],
    ] as const) {
      expect(fixture.metric(line), line).toBe(value)
    }
    expect(fixture.clusters.get('app')?.hosts[0]?.active).toBe(0)
    expect(exchange.layerState).toBeUndefined()
  })

  it('answers what cannot go on', () => {
    const status = (fixture: StackFixture) => {
      const { reply } = fixture.send()
      return [reply?.status, reply?.flag, reply?.details]
    }
    expect(status(new StackFixture().build(undefined))).toEqual([404, 'NR', 'route_not_found'])
    expect(status(new StackFixture().build([route()]))).toEqual([503, 'NC', 'cluster_not_found'])
    expect(status(new StackFixture().cluster({}, []).build([route()]))).toEqual([503, 'UH', 'no_healthy_upstream'])
    expect(status(app(forwardTo({ clusters: [{ cluster: INVALID_CLUSTER, weight: 1 }] })))).toEqual([500, 'NC', 'invalid_backend'])
    expect(status(app(forwardTo({ clusters: [] })))).toEqual([500, 'NC', 'invalid_backend'])
    const full = new StackFixture().cluster({ limits: { maxRequests: 1 } }).build([route()])
    const first = full.send()
    expect(status(full)).toEqual([503, 'UO', 'upstream_overflow'])
    first.answer(200)
    expect(full.send().attempts).toHaveLength(1)
  })

  it.each<[UpstreamFailure['kind'], number, string, string]>([
    ['connect', 503, 'UF', 'upstream_reset_before_response_started{remote_connection_failure}'],
    ['connectTimeout', 503, 'UF', 'upstream_reset_before_response_started{connection_timeout}'],
    ['reset', 503, 'UR', 'upstream_reset_before_response_started{remote_reset}'],
    ['closed', 503, 'UC', 'upstream_reset_before_response_started{connection_termination}'],
    ['protocol', 502, 'UPE', 'upstream_reset_before_response_started{protocol_error}'],
    ['perTryTimeout', 504, 'UT', 'upstream_per_try_timeout'],
    ['overflow', 503, 'UO', 'upstream_reset_before_response_started{overflow}'],
  ])('%s is %d %s', (kind, status, flag, details) => {
    const fixture = app()
    const exchange = fixture.send()
    exchange.fail(kind)
    expect(exchange.reply).toMatchObject({ status, flag, details })
    expect(fixture.clusters.get('app')?.circuit.requests).toBe(0)
    expect(fixture.clusters.get('app')?.hosts[0]?.active).toBe(0)
  })

  it('splits by weight', () => {
    const fixture = new StackFixture().cluster({ name: 'a' }).cluster({ name: 'b' })
    fixture.build([
      route(
        forwardTo({
          clusters: [
            { cluster: 'a', weight: 90 },
            { cluster: 'b', weight: 10 },
          ],
        }),
      ),
    ])
    for (let i = 0; i < 100; i++) {
      fixture.random = i / 100
      fixture.send().answer(200)
    }
    expect(fixture.metric('envoy_cluster_upstream_rq_total{envoy_cluster_name="a"}')).toBe(90)
    expect(fixture.metric('envoy_cluster_upstream_rq_total{envoy_cluster_name="b"}')).toBe(10)
  })

  it('changes heads and paths', () => {
    const exchange = app(
      forwardTo({
        rewrite: { host: 'new.host', path: { type: 'prefix', value: '/v2' } },
        clusters: [{ cluster: 'app', weight: 1, responseHeaders: { set: [{ name: 'x-c', value: 'cluster' }] } }],
      }),
      {
        match: { path: { pathPrefix: '/v1' } },
        requestHeaders: { remove: ['a'], set: [{ name: 'b', value: '2' }], add: [{ name: 'c', value: '3' }] },
        responseHeaders: { add: [{ name: 'x-r', value: 'route' }], remove: ['x-secret'] },
      },
    ).send({ path: '/v1/x?y=1', headers: { a: '1', b: '1', c: '1' } })
    expect(exchange.request.path).toBe('/v2/x?y=1')
    expect(exchange.request.authority).toBe('new.host')
    expect(exchange.request.headers.get('a')).toBeUndefined()
    expect(exchange.request.headers.getAll('c')).toEqual(['1', '3'])
    expect(exchange.request.headers.get('x-envoy-original-path')).toBe('/v1/x?y=1')
    exchange.answer(200, { 'x-secret': 's' })
    expect(exchange.response?.headers.toObject()).toEqual({ 'x-c': 'cluster', 'x-r': 'route' })
  })

  it('redirects and answers itself', () => {
    expect(app({ type: 'redirect', status: 301, scheme: 'https' }).send({ path: '/a' }).reply).toMatchObject({
      status: 301,
      headers: [{ name: 'location', value: 'https://app/a' }],
    })
    expect(app({ type: 'direct', status: 418, body: 'tea' }).send().reply).toMatchObject({ status: 418, body: 'tea' })
  })

  it('mirrors, head and body', () => {
    const fixture = new StackFixture().cluster().cluster({ name: 'shadow' })
    fixture.build([route(forwardTo({ mirrors: [{ cluster: 'shadow', percentage: 50 }] }))])
    const exchange = fixture.send({ authority: 'app:80', path: '/x', endsWithHead: false })
    exchange.observers[0]?.(new Uint8Array(5), true)
    fixture.random = 0.6
    fixture.send()
    expect(fixture.mirrored).toEqual(['10.0.1.1:80 /x app-shadow:80', '5 true'])
  })
})

describe('headers of the way', () => {
  it('tells who the client is, and never what it says itself', () => {
    const tls = { peer: 'spiffe://d/ns/a/sa/b', peerHash: 'ab', version: 'TLSv1.3', cipher: 'x' }
    const forged = { 'x-forwarded-client-cert': 'URI=evil', 'x-forwarded-for': '1.1.1.1' }
    const fixture = new StackFixture().cluster().build([route()], [], { appendForwardedFor: true })
    const mesh = fixture.send({ headers: forged, connection: { tls } }).request.headers
    expect(mesh.get('x-forwarded-client-cert')).toBe('By=spiffe://d/ns/a/sa/me;Hash=ab;URI=spiffe://d/ns/a/sa/b')
    expect(mesh.get('x-forwarded-for')).toBe('1.1.1.1, 10.0.0.7')
    expect(mesh.get('x-request-id')).toBe('id')
    expect(mesh.get('x-forwarded-proto')).toBe('http')
    expect(fixture.send({ headers: forged }).request.headers.get('x-forwarded-client-cert')).toBeUndefined()
    const gateway = new StackFixture({ direction: 'gateway' }).cluster().build([route()])
    const seen = gateway.send({ headers: { ...forged, 'x-envoy-original-path': '/p', 'x-forwarded-proto': 'https' } }).request.headers
    expect([seen.get('x-envoy-original-path'), seen.get('x-forwarded-proto')]).toEqual([undefined, 'http'])
  })

  it('speaks CORS', () => {
    const cors = {
      type: 'cors',
      name: 'cors',
      allowOrigins: [{ exact: 'https://ok' }],
      allowMethods: ['GET'],
      allowHeaders: ['*'],
      exposeHeaders: ['x-e'],
      allowCredentials: true,
      maxAgeS: 60,
    } as const
    const fixture = new StackFixture().cluster().build([route()], [cors])
    const headers = { origin: 'https://ok', 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-a' }
    expect(fixture.send({ method: 'OPTIONS', headers }).response?.headers.toObject()).toEqual({
      'access-control-allow-origin': 'https://ok',
      vary: 'origin',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-e',
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'x-a',
      'access-control-max-age': '60',
    })
    const exchange = fixture.send({ headers: { origin: 'https://ok' } })
    exchange.answer(200)
    expect(exchange.response?.headers.get('access-control-expose-headers')).toBe('x-e')
    const refused = fixture.send({ method: 'OPTIONS', headers: { ...headers, origin: 'https://no' } })
    expect([refused.attempts.length, refused.response?.headers.toObject()]).toEqual([0, { vary: 'origin' }])
    const other = fixture.send({ headers: { origin: 'https://no' } })
    other.answer(200)
    expect(other.response?.headers.toObject()).toEqual({})
  })
})

describe('filters', () => {
  const rbac = (parts: Partial<Rbac>, name = 'rbac') =>
    ({ type: 'rbac', name, rbac: { deny: [], shadowDeny: [], allow: [], otherwise: 'deny', ...parts } }) as const

  it('refuses whom rules do not allow, before it says what exists', () => {
    for (const routes of [[route()], undefined]) {
      const fixture = new StackFixture().cluster().build(routes, [rbac({})])
      expect(fixture.send().reply).toMatchObject({
        status: 403,
        body: 'RBAC: access denied',
        details: 'rbac_access_denied_matched_policy[none]',
      })
      expect(fixture.metric('envoy_http_rbac_denied{envoy_http_conn_manager_prefix="test"}')).toBe(1)
    }
    const shadow = new StackFixture().cluster().build([route()], [rbac({ dryRun: true })])
    expect(shadow.send().attempts).toHaveLength(1)
    expect(shadow.metric('envoy_http_rbac_shadow_denied{envoy_http_conn_manager_prefix="test"}')).toBe(1)
  })

  it('lets routes override filters by name', () => {
    const open = route(forwardTo(), { match: { path: { exact: '/open' } }, filters: [rbac({ otherwise: 'allow' })] })
    const more = route(forwardTo(), { match: { path: { exact: '/more' } }, filters: [rbac({}, 'more')] })
    const fixture = new StackFixture().cluster().build([open, more, route()], [rbac({ otherwise: 'allow', deny: [] }), rbac({}, 'other')])
    expect(fixture.send({ path: '/open' }).reply?.status).toBe(403)
    const single = new StackFixture().cluster().build([open, more, route()], [rbac({})])
    expect(single.send({ path: '/open' }).attempts).toHaveLength(1)
    expect(single.send({ path: '/' }).reply?.status).toBe(403)
    const appended = new StackFixture().cluster().build([more], [])
    expect(appended.send({ path: '/more' }).reply?.status).toBe(403)
  })

  it('limits rates, over all routes that share the filter', async () => {
    const limit = { type: 'rateLimit', name: 'l', bucket: { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000 } } as const
    const fixture = new StackFixture().cluster().build([route(forwardTo(), { match: { path: { exact: '/a' } } }), route()], [limit])
    const statuses = ['/a', '/b', '/a'].map((path) => fixture.send({ path }).reply?.status)
    expect(statuses).toEqual([undefined, undefined, 429])
    await fixture.clock.advance(1_000)
    expect(fixture.send().attempts).toHaveLength(1)
    expect(fixture.send().reply).toMatchObject({ status: 429, flag: 'RL' })
    const bucket = new TokenBucketState(limit.bucket, 0)
    expect([bucket.take(1e9), bucket.take(1e9), bucket.take(1e9)]).toEqual([true, true, false])
  })

  it('injects faults', async () => {
    const fault = (parts: object) => ({ type: 'fault', name: 'f', faults: [parts] }) as const
    const abort = new StackFixture().cluster().build([route()], [fault({ abort: { status: 418, percentage: 30 } })])
    abort.random = 0.29
    expect(abort.send().reply).toMatchObject({ status: 418, flag: 'FI' })
    abort.random = 0.3
    expect(abort.send().attempts).toHaveLength(1)
    const delay = new StackFixture().cluster().build([route()], [fault({ delay: { ms: 500, percentage: 100 } })])
    const exchange = delay.send()
    await delay.clock.advance(499)
    expect(exchange.attempts).toHaveLength(0)
    await delay.clock.advance(1)
    expect([exchange.attempts.length, exchange.flags.has('DI')]).toEqual([1, true])
    const gone = delay.send()
    gone.end()
    await delay.clock.advance(1_000)
    expect(gone.attempts).toHaveLength(0)
    const slow = new StackFixture().cluster().build([route()], [fault({ responseBandwidth: { bytesPerSecond: 7, percentage: 100 } })])
    expect(slow.send().responseRate).toBe(7)
    const others = new StackFixture()
      .cluster()
      .build([route()], [fault({ principals: [{ authenticated: true }], abort: { status: 418, percentage: 100 } })])
    expect(others.send().attempts).toHaveLength(1)
  })

  it('limits and harms the callers that are meant, and no others', () => {
    const ids = ['web', 'admin'].map((name) => ({ spiffeId: { exact: `spiffe://mesh.test/ns/a/sa/${name}` } }))
    const [web, admin] = ids
    const none = { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1e9 }
    const send = (filters: readonly HttpFilter[], peer: string | undefined): (number | undefined)[] => {
      const fixture = new StackFixture().cluster().build([route()], filters)
      const connection = peer === undefined ? {} : { tls: { peer, serverName: '', version: '', cipher: '' } }
      return [1, 2].map(() => fixture.send({ connection }).reply?.status)
    }
    const limits: HttpFilter[] = [
      { type: 'rateLimit', name: 'web', bucket: none, status: 420, principals: [web!] },
      { type: 'rateLimit', name: 'others', bucket: { ...none, maxTokens: 2 }, notPrincipals: [web!, admin!] },
    ]
    expect(send(limits, 'spiffe://mesh.test/ns/a/sa/web')).toEqual([undefined, 420])
    expect(send(limits, 'spiffe://mesh.test/ns/a/sa/admin')).toEqual([undefined, undefined])
    expect(send([{ ...limits[1]!, bucket: none } as HttpFilter], undefined)).toEqual([undefined, 429])
    const faults: HttpFilter[] = [
      { type: 'fault', name: 'f', faults: [{ notPrincipals: [web!], abort: { status: 418, percentage: 100 } }] },
    ]
    expect(send(faults, 'spiffe://mesh.test/ns/a/sa/web')).toEqual([undefined, undefined])
    expect(send(faults, 'spiffe://mesh.test/ns/a/sa/admin')).toEqual([418, 418])
    expect(send(faults, undefined)).toEqual([418, 418])
  })

  it('judges connections', () => {
    const stats = connectionStats(new MetricTable(), 'tcp', 't')
    const rules = {
      rbac: rbac({ allow: [{ name: 'a', principals: [], requests: [{ ports: [9080] }] }] }).rbac,
      rateLimit: { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000 },
    }
    const judge = createConnectionJudge(rules, stats, new FakeClock())
    const { connection } = new FixtureExchange()
    const meshed = { ...connection, tls: { serverName: 'p9080.mesh.biplane', version: '', cipher: '' } }
    expect(judge(connection)).toEqual({ allowed: false, details: 'rbac_access_denied_matched_policy[none]' })
    expect(judge(meshed)).toEqual({ allowed: true, details: '' })
    expect(judge(meshed)).toEqual({ allowed: false, details: 'local_rate_limited' })
    expect(judge(meshed, true)).toEqual({ allowed: true, details: '' })
  })
})
