import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { exportJWK, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeJson, encodeJson, Transcoder } from '../src/protocols/grpc-json/index.ts'
import { descriptorSet } from '../src/protocols/grpc-json/grpc-json-fixture.ts'
import { MESH_PORT, type AccessLog, type HttpFilter, type SocketAddress, type Tracing } from '../src/policy/traffic/model/index.ts'
import { ask, Closers, until } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed, cluster, endpoints, inbound, manager, meshCluster, outbound, routesTo } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'

let pair: Pair
let closers: Closers
beforeAll(async () => {
  pair = await new Pair(10).start()
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
})
afterEach(() => closers.run())

const echo = (): Promise<SocketAddress> =>
  closers.http(pair.server.address, (request, response) => {
    response.writeHead(200, { 'x-seen': JSON.stringify(request.headers) })
    request.pipe(response)
  })

/** The service of an application with filters before it. */
function filtered(app: SocketAddress, filters: readonly HttpFilter[]): void {
  pair.service('http', app)
  pair.server.tell({ listeners: [inbound(app, 'http', { manager: { filters } })] })
}

const outside = (name: string, address: SocketAddress): void =>
  pair.server.tell({ clusters: [cluster(name, { discovery: { type: 'static', addresses: [address] } })] })

describe('filters that ask others, in a sidecar at work', () => {
  it('external authority: its word on each request, and what it adds', async () => {
    const authority = await closers.http(pair.server.address, (request, response) => {
      response.writeHead(request.headers['x-pass'] === 'yes' ? 200 : 401, { 'x-user': 'alice' }).end('not you')
    })
    outside('authority', authority)
    const filter: HttpFilter = {
      type: 'extAuthz',
      name: 'authz',
      protocol: 'http',
      cluster: 'authority',
      includeHeaders: ['x-pass'],
      upstreamHeaders: ['x-user'],
    }
    filtered(await echo(), [filter])
    expect(await ask(pair.dialed)).toMatchObject({ status: 401, body: 'not you' })
    const answer = await ask(pair.dialed, { headers: { 'x-pass': 'yes' }, body: 'hello' })
    expect([answer.status, answer.body]).toEqual([200, 'hello'])
    expect(answer.headers['x-seen']).toContain('"x-user":"alice"')
  })

  it('JWT: keys are fetched from their issuer', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] })
    let fetched = 0
    const issuer = await closers.http(pair.server.address, (_, response) => {
      fetched++
      response.end(keys)
    })
    outside('issuer', issuer)
    const remoteJwks = { uri: 'http://issuer.test/keys', cluster: 'issuer', timeoutMs: 1_000, cacheMs: 60_000 }
    const provider = { name: 'p', issuer: 'https://issuer.test', audiences: [], remoteJwks, forward: true }
    filtered(await echo(), [{ type: 'jwt', name: 'jwt', providers: [provider], required: true }])
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('https://issuer.test')
      .setExpirationTime('1h')
      .sign(privateKey)
    expect((await ask(pair.dialed)).status).toBe(401)
    expect((await ask(pair.dialed, { headers: { authorization: `Bearer ${token.slice(0, -9)}AAAAAAAAA` } })).status).toBe(401)
    expect((await ask(pair.dialed, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    expect(fetched).toBe(1)
  })

  it('gRPC as JSON', async () => {
    const { schema } = new Transcoder(descriptorSet())
    const method = schema.methods.find(({ path, serverStreaming }) => path === '/shop.v1.Library/GetBook' && !serverStreaming)
    if (!method) throw new Error(`no such method among ${schema.methods.map(({ path }) => path).join(', ')}`)
    const raw = (bytes: Buffer): Buffer => bytes
    const server = new Server()
    server.addService(
      {
        GetBook: {
          path: method.path,
          requestStream: false,
          responseStream: false,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        GetBook: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          const asked = decodeJson(schema, method.input, call.request) as Record<string, unknown>
          done(null, encodeJson(schema, method.output, { title: `about ${JSON.stringify(asked)}` } as never))
        },
      },
    )
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`${pair.server.address}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
    closers.add(server, () => server.forceShutdown())
    const app = { address: pair.server.address, port }
    const filter: HttpFilter = {
      type: 'grpcJson',
      name: 'json',
      descriptors: Buffer.from(descriptorSet()).toString('base64'),
      services: [],
    }
    pair.service('grpc', app)
    pair.server.tell({ listeners: [inbound(app, 'grpc', { manager: { filters: [filter] } })] })
    // by whatever path its annotation says
    const answer = await ask(pair.dialed, { path: '/v1/shelves/3/books/7' })
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toContain('application/json')
    expect(answer.body).toContain('about')
  })

  it('copies go to the mirror, bodies too, and nobody waits for them', async () => {
    const copied: string[] = []
    const mirror = await closers.http(pair.server.address, (request) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => copied.push(`${request.headers.host} ${request.url} ${body}`))
    })
    const app = await echo()
    const vip = pair.service('http', app)
    pair.serve('http', mirror)
    pair.client.tell({
      clusters: [meshCluster('mirror', 'http')],
      endpoints: [endpoints('mirror', { address: mirror, identity: spiffeId('db'), meshPort: MESH_PORT })],
      routes: [routesTo(`outbound|${vip.address}|${vip.port}`, vip.address, { mirrors: [{ cluster: 'mirror', percentage: 100 }] })],
    })
    expect(await ask(pair.dialed, { path: '/a', body: 'hello', headers: { host: 'db.shop' } })).toMatchObject({
      status: 200,
      body: 'hello',
    })
    await until(() => copied.length > 0)
    expect(copied).toEqual(['db.shop-shadow /a hello'])
  })

  it('health checks go through TLS of the mesh, and keep requests from who is not well', async () => {
    let well = true
    let asked = 0
    const sick = await closers.http(pair.server.address, (request, response) => {
      if (request.url === '/health') {
        asked++
        response.writeHead(well ? 200 : 503).end()
      } else response.end('sick')
    })
    const good = await closers.http(pair.server.address, (request, response) => response.end(request.url === '/health' ? 'ok' : 'good'))
    // whoever checks is judged as any other caller
    const vip = pair.service('http', sick, { rbac: allowed(spiffeId('web')) })
    pair.serve('http', good, { rbac: allowed(spiffeId('web')) })
    const check = {
      type: 'http',
      path: '/health',
      expectedStatuses: [200],
      intervalMs: 50,
      timeoutMs: 1_000,
      unhealthyThreshold: 1,
      healthyThreshold: 1,
      noTrafficIntervalMs: 50,
    } as const
    pair.client.tell({
      clusters: [meshCluster(vip.address, 'http', { healthChecks: [check], healthyPanicPercent: 0 })],
      endpoints: [endpoints(vip.address, ...[sick, good].map((address) => ({ address, identity: spiffeId('db'), meshPort: MESH_PORT })))],
    })
    const answers = async (): Promise<Set<string>> =>
      new Set((await Promise.all(Array.from({ length: 20 }, () => ask(pair.dialed)))).map(({ body }) => body))
    await vi.waitFor(async () => expect(await answers()).toEqual(new Set(['sick', 'good'])), { timeout: 5_000 })
    expect(asked).toBeGreaterThan(0)
    well = false
    await vi.waitFor(async () => expect(await answers()).toEqual(new Set(['good'])), { timeout: 5_000 })
    well = true
    await vi.waitFor(async () => expect(await answers()).toEqual(new Set(['sick', 'good'])), { timeout: 5_000 })
  })
})

describe('what a sidecar at work tells', () => {
  async function collector(): Promise<SocketAddress & { readonly got: { readonly path: string; readonly body: string }[] }> {
    const got: { path: string; body: string }[] = []
    const address = await closers.http(pair.server.address, (request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        got.push({ path: request.url ?? '', body })
        response.end('{}')
      })
    })
    return { ...address, got }
  }

  it('spans: a client’s of what goes out, a server’s of what comes in, one below the other', async () => {
    const { address, port, got } = await collector()
    const tracing: Tracing = { backend: { type: 'otlp', endpoint: `${address}:${port}` }, overall: 100, client: 100, random: 100, tags: [] }
    const app = await echo()
    const vip = pair.service('http', app)
    const listener = outbound(vip, 'http', vip.address)
    pair.client.tell({ listeners: [{ ...listener, chains: [{ name: 'http', match: {}, http: manager(listener.name, { tracing }) }] }] })
    pair.server.tell({ listeners: [inbound(app, 'http', { manager: { tracing } })] })
    expect((await ask(pair.dialed)).status).toBe(200)
    interface Span {
      readonly traceId: string
      readonly spanId: string
      readonly parentSpanId?: string
      readonly kind: number
    }
    const spansOf = ({ body }: { readonly body: string }): Span[] =>
      (JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans.flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => spans),
      )
    await vi.waitFor(() => expect(got.flatMap(spansOf)).toHaveLength(2), { timeout: 5_000 })
    const spans = got.flatMap(spansOf)
    const [client, server] = [spans.find(({ kind }) => kind === 3), spans.find(({ kind }) => kind === 2)]
    expect(server).toMatchObject({ traceId: client?.traceId, parentSpanId: client?.spanId })
  })

  it('access logs of requests by OTLP, of bytes in a file', async () => {
    const { address, port, got } = await collector()
    const otlp: AccessLog = {
      name: 'o',
      sink: { type: 'otlp', endpoint: `${address}:${port}` },
      format: { type: 'text', text: '%REQ(:METHOD)% %RESPONSE_CODE% %DOWNSTREAM_PEER_URI_SAN%\n' },
    }
    const app = await echo()
    pair.service('http', app)
    pair.server.tell({ listeners: [inbound(app, 'http', { manager: { accessLogs: [otlp] } })] })
    expect((await ask(pair.dialed)).status).toBe(200)
    await vi.waitFor(() => expect(got).toHaveLength(1), { timeout: 5_000 })
    expect(got[0]?.path).toBe('/v1/logs')
    expect(got[0]?.body).toContain(`GET 200 ${spiffeId('web')}`)

    const folder = mkdtempSync(join(tmpdir(), 'logs-'))
    closers.add(folder, (one) => rmSync(one, { recursive: true }))
    const path = join(folder, 'tcp.log')
    const format: AccessLog['format'] = {
      type: 'text',
      text: '%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %CONNECTION_TERMINATION_DETAILS%\n',
    }
    const file: AccessLog = { name: 'f', sink: { type: 'file', path }, format }
    const tcp = await closers.tcp(pair.server.address, (socket) => void socket.pipe(socket))
    pair.service('tcp', tcp, { rbac: allowed(spiffeId('web')) })
    const logged = (allow: string): void => {
      const listener = inbound(tcp, 'tcp', { rbac: allowed(spiffeId(allow)) })
      pair.server.tell({
        listeners: [
          {
            ...listener,
            chains: listener.chains.map((chain) => (chain.tcp ? { ...chain, tcp: { ...chain.tcp, accessLogs: [file] } } : chain)),
          },
        ],
      })
    }
    logged('web')
    const client = await (await closers.connect(pair.dialed)).say('hello').hears('hello')
    client.socket.end()
    await client.closed()
    logged('nobody')
    await (await closers.connect(pair.dialed)).say('x').closed(2_000)
    const name = `inbound|${tcp.port}`
    await vi.waitFor(
      () =>
        expect(readFileSync(path, 'utf8').trim().split('\n')).toEqual([
          `- 5 5 ${name} -`,
          '- 0 0 - rbac_access_denied_matched_policy[none]',
        ]),
      { timeout: 5_000 },
    )
    expect(pair.server.metric('envoy_tcp_downstream_cx_rx_bytes_total', name)).toBe(5)
  })
})
