import { generateKeyPairSync } from 'node:crypto'
import { exportJWK, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { AccessLog, JwtFilter, Tracing } from '../../../policy/traffic/model/index.ts'
import { descriptorSet } from '../../../protocols/grpc-json/grpc-json-fixture.ts'
import { ClusterManager } from '../clusters/index.ts'
import type { Layer } from '../contract.ts'
import { openEndpoint, TimerWheel } from '../engine/index.ts'
import { ClientFixture } from '../internal-client/client-fixture.ts'
import { compileLogFormat, MetricTable, type LogEntry } from '../telemetry/index.ts'
import { dial } from '../transport/dial.ts'
import { testExchange, type TestExchange } from './exchange-fixture.ts'
import { createFilterLayers, openJwks, openOtlpLogSink, otlpLogFormat, type FilterLayers } from './index.ts'

let servers: ClientFixture
let layers: FilterLayers
let clusters: ClusterManager
let posted: { url: string; body: string }[]
beforeEach(() => {
  servers = new ClientFixture()
  posted = []
  const wheel = new TimerWheel(systemClock)
  const open = (options: Parameters<typeof openEndpoint>[0]) => openEndpoint(options, { clock: systemClock, wheel })
  layers = createFilterLayers({
    clusters: () => clusters,
    wheel,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    openEndpoint: open,
    dial,
    service: 'web',
    post: (url, body) => Promise.resolve(void posted.push({ url, body })),
  })
  clusters = new ClusterManager(
    {
      clock: systemClock,
      random: Math.random,
      place: {},
      clientTls: () => undefined,
      resolveHost: () => Promise.reject(new Error('none')),
      openEndpoint: open,
      probe: layers.probe,
    },
    new MetricTable(),
  )
})
afterEach(async () => {
  clusters.close()
  await layers.close()
  servers.close()
})

const cluster = (name: string, port: number, more: object = {}): void =>
  clusters.setCluster({
    name,
    discovery: { type: 'static', addresses: [{ address: '127.0.0.1', port }] },
    protocol: 'http',
    loadBalancer: { type: 'roundRobin' },
    limits: {},
    healthChecks: [],
    ...more,
  })

/** @returns whether the layer let it pass */
async function pass(layer: Layer, exchange: TestExchange): Promise<boolean> {
  let passed = false
  layer(() => (passed = true))(exchange)
  await vi.waitFor(() => expect(passed || exchange.replies.length > 0).toBe(true))
  return passed
}

describe('filters put together', () => {
  it('verify tokens by keys that a cluster gives, fetched once for all filters that want them', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a' }] })
    const asked: (string | undefined)[] = []
    cluster(
      'issuer',
      await servers.http((request, response) => {
        asked.push(`${request.headers.host}${request.url}`)
        response.end(keys)
      }),
    )
    const remoteJwks = { uri: 'http://issuer.example/keys', cluster: 'issuer', timeoutMs: 1_000, cacheMs: 60_000 }
    const filter = (name: string): JwtFilter => ({
      type: 'jwt',
      name,
      required: true,
      providers: [{ name, issuer: 'i', audiences: [], forward: true, remoteJwks }],
    })
    const token = await new SignJWT({ iss: 'i', sub: 'me' })
      .setProtectedHeader({ alg: 'ES256', kid: 'a' })
      .setExpirationTime('1h')
      .sign(privateKey)
    for (const name of ['one', 'two']) {
      const exchange = testExchange({ headers: { authorization: `Bearer ${token}` } })
      expect(await pass(layers.createFilterLayer(filter(name)), exchange)).toBe(true)
      expect(layers.claimsOf(exchange)?.['sub']).toBe('me')
    }
    expect(asked).toEqual(['issuer.example/keys'])
  })

  it('ask authorities', async () => {
    cluster('authority', await servers.http((request, response) => void response.writeHead(request.url === '/yes' ? 200 : 401).end()))
    const layer = layers.createFilterLayer({ type: 'extAuthz', name: 'a', protocol: 'http', cluster: 'authority', timeoutMs: 2_000 })
    expect([await pass(layer, testExchange({ path: '/yes' })), await pass(layer, testExchange({ path: '/no' }))]).toEqual([true, false])
  })

  it('read descriptors once', () => {
    const filter = { type: 'grpcJson', name: 'json', descriptors: Buffer.from(descriptorSet()).toString('base64'), services: [] } as const
    expect(layers.createFilterLayer({ ...filter })).toBe(layers.createFilterLayer({ ...filter }))
    expect(layers.createFilterLayer({ ...filter, passUnknown: false })).not.toBe(layers.createFilterLayer({ ...filter }))
  })

  it('send the spans of all stacks to their collectors', async () => {
    const tracing = (endpoint: string): Tracing => ({
      backend: { type: 'otlp', endpoint },
      overall: 100,
      client: 100,
      random: 100,
      tags: [],
    })
    for (const [endpoint, direction] of [
      ['a:4318', 'inbound'],
      ['a:4318', 'outbound'],
      ['b:4318', 'gateway'],
    ] as const) {
      const exchange = testExchange()
      layers.createTracingLayer(tracing(endpoint), direction)(() => {})(exchange)
      exchange.end()
    }
    await layers.close()
    const kinds = posted.map(({ url, body }) => [url, [...body.matchAll(/"kind":(\d)/g)].map(([, kind]) => kind)])
    expect(kinds).toEqual([
      ['http://a:4318/v1/traces', ['2', '3']],
      ['http://b:4318/v1/traces', ['2']],
    ])
  })

  it('check endpoints for clusters that were made with their probe', async () => {
    let asked = 0
    const port = await servers.http((_, response) => {
      asked++
      response.writeHead(503).end()
    })
    const check = {
      type: 'http',
      path: '/',
      expectedStatuses: [],
      intervalMs: 20,
      timeoutMs: 500,
      healthyThreshold: 1,
      unhealthyThreshold: 1,
      noTrafficIntervalMs: 20,
    }
    cluster('sick', port, { healthChecks: [check] })
    await vi.waitFor(() => expect([asked > 1, clusters.get('sick')?.hosts[0]?.health.healthy]).toEqual([true, false]))
  })
})

describe('key sets', () => {
  const remote = {
    name: 'p',
    issuer: 'i',
    audiences: [],
    forward: false,
    remoteJwks: { uri: '/keys', cluster: 'c', timeoutMs: 1_000, cacheMs: 60_000 },
  }

  it('are fetched again while somebody asks for them, and not otherwise', async () => {
    const clock = new FakeClock()
    const key = await exportJWK(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
    let fetched = 0
    let isAway = false
    const source = openJwks(remote, {
      clock,
      fetch: () => (
        fetched++,
        isAway ? Promise.reject(new Error('away')) : Promise.resolve(JSON.stringify({ keys: [{ ...key, kid: 'a' }] }))
      ),
    })
    expect([(await source.keys()).length, fetched]).toEqual([1, 1])
    await source.keys()
    await clock.advance(60_000)
    expect(fetched).toBe(2)
    // nobody has asked since
    await clock.advance(600_000)
    expect([fetched, clock.timers]).toEqual([2, 0])
    isAway = true
    expect([(await source.keys()).length, fetched]).toEqual([1, 3])
    source.close()
  })
})

describe('access logs by OTLP', () => {
  const entry = (status: number): LogEntry =>
    ({
      startMs: 0,
      connection: { protocol: 'http1', remote: { address: '10.0.0.9', port: 1 }, local: { address: '10.0.0.1', port: 2 } },
      summary: { startedMs: 0, durationMs: 7, status, bytesReceived: 1, bytesSent: 2, flags: new Set(), details: '' },
      captured: [],
      upstreamMs: -1,
      attempts: 0,
    }) as unknown as LogEntry
  const sinkOf = { type: 'otlp', endpoint: 'collector:4318', attributes: { code: '%RESPONSE_CODE%', mesh: 'default' } } as const

  it.each<[string, AccessLog['format'], unknown]>([
    ['a text', { type: 'text', text: '%RESPONSE_CODE% "%DURATION%"\n' }, '200 "7"'],
    ['fields', { type: 'json', fields: { status: '%RESPONSE_CODE%', host: '%UPSTREAM_HOST%' }, omitEmpty: true }, '{"status":200}'],
  ])('have %s as their body, and attributes', async (_, format, body) => {
    const sent: { url: string; body: string }[] = []
    let isAway = false
    const sink = openOtlpLogSink({
      endpoint: sinkOf.endpoint,
      resource: { 'service.name': 'web' },
      post: (url, text) => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(void sent.push({ url, body: text }))),
      clock: new FakeClock(1_000),
    })
    const compiled = compileLogFormat(otlpLogFormat(sinkOf, format))
    const write = (): Promise<Error | undefined> =>
      new Promise((resolve) => sink.write(compiled.format(entry(200)) + compiled.format(entry(404)), resolve))
    expect(await write()).toBeUndefined()
    expect(sent[0]?.url).toBe('http://collector:4318/v1/logs')
    const [first, second] =
      (JSON.parse(sent[0]?.body ?? '') as { resourceLogs: { scopeLogs: { logRecords: unknown[] }[] }[] }).resourceLogs[0]?.scopeLogs[0]
        ?.logRecords ?? []
    expect(first).toEqual({
      timeUnixNano: '1000000000',
      body: { stringValue: body },
      attributes: [
        { key: 'code', value: { stringValue: '200' } },
        { key: 'mesh', value: { stringValue: 'default' } },
      ],
    })
    expect(JSON.stringify(second)).toContain('404')
    isAway = true
    expect((await write())?.message).toBe('away')
  })
})
