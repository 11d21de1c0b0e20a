import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { INVALID_CLUSTER, type Route } from '../src/policy/traffic/model/index.ts'
import { firstBytes, get, httpBackend, tcpBackend, type Backend } from './envoy-support/backends.ts'
import { startEnvoy, type RunningEnvoy } from './envoy-support/envoy-process.ts'
import { ENVOY, WITHOUT_ENVOY } from './envoy-support/find-envoy.ts'
import {
  ACCESS_LOG,
  cluster,
  endpoint,
  forward,
  http,
  input,
  outbound,
  route,
  routesOf,
  settings,
  staticCluster,
} from './envoy-support/samples.ts'
import { freePorts } from './support/free-port.ts'

const BACK_OFF = { baseMs: 5, maxMs: 20 }

describe.skipIf(!ENVOY)(`Envoy does what is made for it: HTTP and TCP${WITHOUT_ENVOY}`, () => {
  let envoy: RunningEnvoy
  let v1: Backend
  let v2: Backend
  let tcp: Awaited<ReturnType<typeof tcpBackend>>
  let port = 0
  let autoPort = 0
  let configuration: Parameters<RunningEnvoy['configure']>[0]

  const routes = (): readonly Route[] => [
    route('/split', forward({ v1: 90, v2: 10 })),
    route('/fail-twice', forward({ v1: 1 }, { retry: { on: ['5xx'], attempts: 3, backOff: BACK_OFF } })),
    route('/slow', forward({ v1: 1 }, { timeoutMs: 100 })),
    route('/broken', forward({ [INVALID_CLUSTER]: 1 })),
    route('/rewrite', forward({ v1: 1 }, { rewrite: { host: 'other.test', path: { type: 'prefix', value: '/' } } })),
    route('/prefix', forward({ v1: 1 }, { rewrite: { path: { type: 'prefix', value: '/new' } } })),
    route('/whole', forward({ v1: 1 }, { rewrite: { path: { type: 'full', value: '/all' } } })),
    route('/to', { type: 'redirect', scheme: 'https', host: 'to.test', path: { type: 'prefix', value: '/new' }, status: 308 }),
    route('/teapot', { type: 'direct', status: 418, body: 'short and stout' }),
    route('/abort', forward({ v1: 1 }), {
      filters: [{ type: 'fault', name: 'fault', faults: [{ abort: { status: 555, percentage: 100 } }] }],
    }),
    route('/delay', forward({ v1: 1 }), { filters: [{ type: 'fault', name: 'fault', faults: [{ delay: { ms: 300, percentage: 100 } }] }] }),
    route('/limited', forward({ v1: 1 }), {
      filters: [{ type: 'rateLimit', name: 'limit', bucket: { maxTokens: 3, tokensPerFill: 1, fillIntervalMs: 600_000 }, status: 429 }],
    }),
    route('/forbidden', forward({ v1: 1 }), {
      filters: [
        {
          type: 'rbac',
          name: 'rbac',
          rbac: {
            deny: [],
            shadowDeny: [],
            allow: [{ name: 'get', principals: [], requests: [{ methods: ['DELETE'] }] }],
            otherwise: 'deny',
          },
        },
      ],
    }),
    route('/mirrored', forward({ v1: 1 }, { mirrors: [{ cluster: 'v2', percentage: 100 }] })),
    route('/outlier', forward({ fragile: 1 })),
    route('/headers', forward({ v1: 1 }), {
      requestHeaders: { remove: ['x-out'], set: [{ name: 'x-set', value: '100%' }], add: [{ name: 'x-add', value: 'b' }] },
      responseHeaders: { set: [{ name: 'x-answer', value: 'yes' }], remove: ['x-backend'] },
    }),
    {
      name: 'matched',
      match: {
        path: { exact: '/matched' },
        method: 'GET',
        headers: [{ name: 'x-v', value: { regex: 'v[0-9]' } }],
        query: [{ name: 'q', value: { exact: '1' } }],
      },
      action: forward({ v2: 1 }),
    },
    {
      name: 'inverted',
      match: { path: { exact: '/inverted' }, headers: [{ name: 'x-v', value: { exact: 'no' }, invert: true }] },
      action: forward({ v2: 1 }),
    },
  ]

  beforeAll(async () => {
    if (!ENVOY) return
    ;[v1, v2, tcp] = await Promise.all([httpBackend('v1'), httpBackend('v2'), tcpBackend('hello\n')])
    ;[port = 0, autoPort = 0] = await freePorts(2)
    configuration = input({
      settings: settings('client.test'),
      clusters: [
        cluster('v1'),
        cluster('v2'),
        cluster('fragile', {
          outlierDetection: {
            intervalMs: 100,
            baseEjectionMs: 60_000,
            maxEjectionMs: 60_000,
            maxEjectionPercent: 50,
            splitLocalErrors: false,
            consecutive5xx: 2,
          },
        }),
        staticCluster('tcp', tcp.port, { protocol: 'tcp' }),
      ],
      endpoints: [
        { name: 'v1', endpoints: [endpoint(v1.port)] },
        { name: 'v2', endpoints: [endpoint(v2.port)] },
        { name: 'fragile', endpoints: [endpoint(v1.port), endpoint(v2.port)] },
      ],
      routes: [routesOf('web', routes())],
      listeners: [
        outbound(port, { http: http('web', { accessLogs: [ACCESS_LOG] }) }),
        outbound(
          autoPort,
          { http: http('web'), tcp: { statPrefix: 'auto', clusters: [{ name: 'tcp', weight: 1 }], accessLogs: [] } },
          { protocol: 'auto', detectTimeoutMs: 200 },
        ),
      ],
    })
    envoy = await startEnvoy(configuration)
  })
  afterAll(async () => {
    await envoy?.stop()
    await Promise.all([v1?.close(), v2?.close(), tcp?.close()])
  })

  test('nothing is unsupported or refused', () => {
    expect(envoy.output().unsupported).toEqual([])
    expect(envoy.ads.answers.filter(({ refused }) => refused !== undefined)).toEqual([])
  })

  test('a 90/10 split is one', async () => {
    let second = 0
    for (let index = 0; index < 600; index += 1) if ((await get(port, '/split')).body.startsWith('v2')) second += 1
    // 60 expected; five standard deviations of 7.3 on each side
    expect(second).toBeGreaterThan(23)
    expect(second).toBeLessThan(97)
  })

  test('a failing request is tried again as often as asked', async () => {
    expect(await get(port, '/fail-twice/a')).toMatchObject({ status: 200 })
  })

  test('a timeout is 504', async () => {
    expect((await get(port, '/slow')).status).toBe(504)
  })

  test('a backend that does not exist is 500, no route 404', async () => {
    expect((await get(port, '/broken')).status).toBe(500)
    expect((await get(port, '/nowhere')).status).toBe(404)
    // segments, not characters
    expect((await get(port, '/splitter')).status).toBe(404)
  })

  test.each([
    ['/rewrite/a/b?q=1', 'v1 /a/b?q=1'],
    ['/rewrite', 'v1 /'],
    ['/prefix', 'v1 /new'],
    ['/prefix/x?y', 'v1 /new/x?y'],
    ['/whole/x?y', 'v1 /all?y'],
  ])('%s is rewritten to %s', async (path, body) => {
    expect((await get(port, path)).body).toBe(body)
  })

  test('a rewritten host reaches the backend', async () => {
    await get(port, '/rewrite')
    expect(v1.headers().host).toBe('other.test')
  })

  test('redirects and direct answers', async () => {
    const redirect = await get(port, '/to/x?q', { host: 'from.test' })
    expect([redirect.status, redirect.headers.location]).toEqual([308, 'https://to.test/new/x?q'])
    expect(await get(port, '/teapot')).toMatchObject({ status: 418, body: 'short and stout' })
  })

  test('faults are injected', async () => {
    expect((await get(port, '/abort')).status).toBe(555)
    const start = performance.now()
    expect((await get(port, '/delay')).status).toBe(200)
    expect(performance.now() - start).toBeGreaterThan(290)
  })

  test('a rate limit lets its burst pass', async () => {
    const statuses = []
    for (let index = 0; index < 5; index += 1) statuses.push((await get(port, '/limited')).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
  })

  test('rules on a route refuse', async () => {
    expect(await get(port, '/forbidden')).toMatchObject({ status: 403, body: 'RBAC: access denied' })
  })

  test('a mirror gets a copy', async () => {
    const before = v2.count()
    expect((await get(port, '/mirrored')).body).toBe('v1 /mirrored')
    await expect.poll(() => v2.count(), { timeout: 5000 }).toBe(before + 1)
  })

  test('headers are changed in both directions', async () => {
    const reply = await get(port, '/headers', { 'x-out': '1', 'x-set': 'old', 'x-add': 'a' })
    expect(v1.headers()).toMatchObject({ 'x-set': '100%', 'x-add': 'a, b' })
    expect(v1.headers()['x-out']).toBeUndefined()
    expect(reply.headers).toMatchObject({ 'x-answer': 'yes' })
    expect(reply.headers['x-backend']).toBeUndefined()
  })

  test('methods, headers and queries are matched', async () => {
    expect((await get(port, '/matched?q=1', { 'x-v': 'v1' })).status).toBe(200)
    expect((await get(port, '/matched?q=1', { 'x-v': 'v12' })).status).toBe(404)
    expect((await get(port, '/matched?q=2', { 'x-v': 'v1' })).status).toBe(404)
    expect((await get(port, '/inverted')).status).toBe(200)
    expect((await get(port, '/inverted', { 'x-v': 'no' })).status).toBe(404)
  })

  test('an endpoint that fails is ejected', async () => {
    for (let index = 0; index < 4; index += 1) await get(port, '/outlier')
    await envoy.configure({
      ...configuration,
      routes: [routesOf('web', [...routes(), route('/status', forward({ fragile: 1 }))])],
    })
    for (let index = 0; index < 6; index += 1) await get(port, '/status/503')
    await expect.poll(() => envoy.stat('cluster.fragile.outlier_detection.ejections_active'), { timeout: 5000 }).toBe(1)
  })

  test('a server that speaks first is reached on a port whose protocol is unknown, and HTTP too', async () => {
    expect(await firstBytes(autoPort)).toBe('hello\n')
    expect(await get(autoPort, '/teapot')).toMatchObject({ status: 418 })
  })

  test('an endpoint is replaced while requests go on, without one that fails', async () => {
    const next = await httpBackend('v3')
    const stop = new AbortController()
    const statuses = new Set<number>()
    const load = (async () => {
      while (!stop.signal.aborted) statuses.add((await get(port, '/mirrored')).status)
    })()
    await envoy.configure({
      ...configuration,
      endpoints: [...configuration.endpoints.filter(({ name }) => name !== 'v1'), { name: 'v1', endpoints: [endpoint(next.port)] }],
    })
    await expect.poll(async () => (await get(port, '/headers')).body, { timeout: 5000 }).toBe('v3 /headers')
    stop.abort()
    await load
    expect([...statuses]).toEqual([200])
    await next.close()
  })
})
