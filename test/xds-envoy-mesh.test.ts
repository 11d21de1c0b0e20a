import { connect as connectTls, createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inboundName, MESH_ALPN, MESH_PORT, meshServerName, type FilterChain, type Rbac } from '../src/policy/traffic/model/index.ts'
import { firstBytes, get, httpBackend, tcpBackend, type Backend } from './envoy-support/backends.ts'
import { startEnvoy, type RunningEnvoy } from './envoy-support/envoy-process.ts'
import { ENVOY, WITHOUT_ENVOY } from './envoy-support/find-envoy.ts'
import { meshCa } from './envoy-support/mesh-ca.ts'
import { cluster, endpoint, forward, http, input, outbound, route, routesOf, settings, staticCluster } from './envoy-support/samples.ts'
import { freePorts } from './support/free-port.ts'

const id = (namespace: string, account: string): string => `spiffe://mesh.test/ns/${namespace}/sa/${account}`
const ALLOW_WEB: Rbac = {
  deny: [{ name: 'deny-secrets', principals: [], requests: [{ paths: [{ prefix: '/secret' }] }] }],
  shadowDeny: [],
  allow: [{ name: 'allow-web', principals: [{ spiffeId: { exact: id('a', 'web') } }], requests: [] }],
  otherwise: 'deny',
}
/** Addresses of this test alone, so that two sidecars can both have MESH_PORT. */
const SERVER = '127.77.3.2'

describe.skipIf(!ENVOY)(`Envoy as sidecar on both sides, with identities from the node's socket${WITHOUT_ENVOY}`, () => {
  const ca = meshCa('mesh.test')
  const other = meshCa('mesh.test')
  let app: Backend
  let server: RunningEnvoy
  let client: RunningEnvoy
  let stranger: RunningEnvoy
  let imposter: RunningEnvoy
  let ports: readonly number[] = []
  let applicationPort = 0
  let tcpApp: Awaited<ReturnType<typeof tcpBackend>>

  /** A sidecar whose application dials three ports: the meshed service, one that expects another identity, and TCP. */
  const clientInput = (name: string, at: number) => {
    const meshed = (identity: string) =>
      endpoint(applicationPort, { address: { address: SERVER, port: applicationPort }, identity, meshPort: MESH_PORT })
    const tcpMeshed = endpoint(0, { address: { address: SERVER, port: tcpApp.port }, identity: id('b', 'app'), meshPort: MESH_PORT })
    return input({
      settings: settings(name, ca.trust),
      clusters: [
        cluster('app', { tls: { mode: 'mesh', identities: [id('b', 'app')] } }),
        cluster('app-h2', { protocol: 'http2', discovery: { type: 'eds', name: 'app' }, tls: { mode: 'mesh', identities: [] } }),
        cluster('wrong', { tls: { mode: 'mesh', identities: [] } }),
        cluster('tcp', { protocol: 'tcp', tls: { mode: 'mesh', identities: [] } }),
      ],
      endpoints: [
        { name: 'app', endpoints: [meshed(id('b', 'app'))] },
        { name: 'wrong', endpoints: [meshed(id('b', 'somebody-else'))] },
        { name: 'tcp', endpoints: [tcpMeshed] },
      ],
      routes: [
        routesOf('app', [route('/h2', forward({ 'app-h2': 1 })), route('/', forward({ app: 1 }))]),
        routesOf('wrong', [route('/', forward({ wrong: 1 }))]),
      ],
      listeners: [
        outbound(ports[at] ?? 0, { http: http('app') }),
        outbound(ports[at + 1] ?? 0, { http: http('wrong') }),
        outbound(
          ports[at + 2] ?? 0,
          { tcp: { statPrefix: 'tcp', clusters: [{ name: 'tcp', weight: 1 }], accessLogs: [] } },
          { protocol: 'tcp' },
        ),
      ],
    })
  }

  beforeAll(async () => {
    if (!ENVOY) return
    app = await httpBackend('app', SERVER)
    tcpApp = await tcpBackend('hello\n')
    applicationPort = app.port
    ports = await freePorts(12)
    const chains: readonly FilterChain[] = [
      {
        name: 'mesh',
        match: { transport: ['mesh'] },
        tls: { mode: 'mesh' },
        http: http('inbound', {
          filters: [
            { type: 'rbac', name: 'rbac', rbac: ALLOW_WEB },
            {
              type: 'fault',
              name: 'fault',
              faults: [{ principals: [{ spiffeId: { exact: id('a', 'web') } }], abort: { status: 599, percentage: 0 } }],
            },
          ],
        }),
      },
    ]
    const inbound = {
      direction: 'inbound' as const,
      address: { address: SERVER, port: applicationPort },
      protocol: 'http' as const,
      chains,
      name: inboundName(applicationPort),
    }
    const serverInput = input({
      settings: settings('server.test', ca.trust),
      clusters: [
        cluster('local', { discovery: { type: 'static', addresses: [{ address: SERVER, port: applicationPort }] }, protocol: 'mirror' }),
        staticCluster('local-tcp', tcpApp.port, { protocol: 'tcp' }),
      ],
      routes: [
        routesOf('inbound', [
          route('/fault', forward({ local: 1 }), {
            filters: [
              {
                type: 'fault',
                name: 'fault',
                faults: [{ principals: [{ spiffeId: { exact: id('a', 'web') } }], abort: { status: 599, percentage: 100 } }],
              },
            ],
          }),
          route('/', forward({ local: 1 })),
        ]),
      ],
      listeners: [
        inbound,
        {
          ...inbound,
          name: inboundName(tcpApp.port),
          address: { address: SERVER, port: tcpApp.port },
          protocol: 'tcp',
          chains: [
            {
              name: 'mesh',
              match: { transport: ['mesh'] },
              tls: { mode: 'mesh' },
              connection: { rbac: { ...ALLOW_WEB, deny: [] } },
              tcp: { statPrefix: 'tcp', clusters: [{ name: 'local-tcp', weight: 1 }], accessLogs: [] },
            },
          ],
        },
      ],
    })
    // the application itself speaks HTTP/1.1
    const plain = {
      ...serverInput,
      clusters: serverInput.clusters.map((one) => (one.name === 'local' ? { ...one, protocol: 'http' as const } : one)),
    }
    // one after the other: what has been started is known when another fails
    server = await startEnvoy(plain, { ca, identity: ca.identity(id('b', 'app')) })
    client = await startEnvoy(clientInput('client.test', 0), { ca, identity: ca.identity(id('a', 'web')) })
    stranger = await startEnvoy(clientInput('stranger.test', 3), { ca, identity: ca.identity(id('a', 'stranger')) })
    // signed by an authority that nobody trusts, for the name that is allowed
    imposter = await startEnvoy(clientInput('imposter.test', 6), { ca, identity: other.identity(id('a', 'web')) })
  })
  afterAll(async () => {
    await Promise.all([server?.stop(), client?.stop(), stranger?.stop(), imposter?.stop()])
    await Promise.all([app?.close(), tcpApp?.close()])
  })
  const at = (index: number): number => ports[index] ?? 0

  test('nothing is refused or unsupported', () => {
    for (const envoy of [server, client, stranger, imposter]) {
      expect(envoy.ads.answers.filter(({ refused }) => refused !== undefined)).toEqual([])
      expect(envoy.output().unsupported).toEqual([])
    }
  })

  test('who is allowed gets through, in HTTP/1.1 and HTTP/2, with its identity told to the application', async () => {
    expect(await get(at(0), '/x')).toMatchObject({ status: 200, body: 'app /x' })
    expect(app.headers()['x-forwarded-client-cert']).toContain(`URI=${id('a', 'web')}`)
    expect(await get(at(0), '/h2')).toMatchObject({ status: 200, body: 'app /h2' })
    expect(await client.stat('cluster.app-h2.upstream_cx_http2_total')).toBe(1)
    expect(await client.stat('cluster.app.ssl.handshake')).toBe(1)
  })

  test('a denial wins over a permission, and says which', async () => {
    expect((await get(at(0), '/secret/x')).status).toBe(403)
  })

  test('another identity is refused', async () => {
    expect(await get(at(3), '/x')).toMatchObject({ status: 403, body: 'RBAC: access denied' })
  })

  test('an identity of an authority that is not trusted gets no connection', async () => {
    expect((await get(at(6), '/x')).status).toBe(503)
  })

  test('a server with another identity than expected gets no request', async () => {
    const before = app.count()
    expect((await get(at(1), '/x')).status).toBe(503)
    expect(app.count()).toBe(before)
    expect(await client.stat('cluster.wrong.ssl.fail_verify_san')).toBeGreaterThan(0)
  })

  test('opaque bytes are carried, and judged by connection', async () => {
    const said = (port: number): Promise<string> => firstBytes(port).catch((error: Error) => error.message)
    expect(await said(at(2))).toBe('hello\n')
    expect(await said(at(5))).not.toBe('hello\n')
  })

  test('plaintext and TLS without an identity do not get in', async () => {
    await expect(get(MESH_PORT, '/x', {}, SERVER)).rejects.toThrow()
    const answered = await new Promise<string>((resolve) => {
      const socket = connectTls({
        host: SERVER,
        port: MESH_PORT,
        servername: meshServerName(applicationPort),
        ALPNProtocols: [MESH_ALPN.http1],
        rejectUnauthorized: false,
      })
      socket.on('secureConnect', () => socket.write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n'))
      socket.on('data', (chunk) => resolve(chunk.toString()))
      socket.on('error', (error) => resolve(error.message))
      socket.on('close', () => resolve('closed'))
    })
    expect(answered).not.toContain('200')
  })

  test('a fault for one caller is that caller’s alone', async () => {
    expect((await get(at(0), '/fault')).status).toBe(599)
    expect((await get(at(3), '/fault')).status).toBe(403)
  })
})

describe.skipIf(!ENVOY)(`Envoy as gateway${WITHOUT_ENVOY}`, () => {
  const ca = meshCa('gateway.test')
  let envoy: RunningEnvoy
  let app: Backend
  let behind: TlsServer
  let port = 0

  beforeAll(async () => {
    if (!ENVOY) return
    app = await httpBackend('app')
    const inside = ca.server('pass.test')
    behind = createTlsServer({ key: inside.privateKey, cert: inside.certificate }, (socket) => {
      // what is not read keeps a socket open
      socket.resume().on('error', () => {})
      socket.end('behind')
    })
    await new Promise<void>((resolve) => void behind.listen(0, '127.0.0.1', resolve))
    ;[port = 0] = await freePorts(1)
    const [one, two] = [ca.server('one.test'), ca.server('two.test')]
    const gateway = { direction: 'gateway' as const, address: { address: '127.0.0.1', port }, protocol: 'http' as const }
    envoy = await startEnvoy(
      input({
        settings: settings('gateway.test'),
        secrets: [
          { name: 'one', certificate: one.certificate, privateKey: one.privateKey },
          { name: 'two', certificate: two.certificate, privateKey: two.privateKey },
        ],
        clusters: [staticCluster('app', app.port), staticCluster('behind', (behind.address() as AddressInfo).port, { protocol: 'tcp' })],
        routes: [
          routesOf('one', [route('/', forward({ app: 1 }))]),
          routesOf('two', [route('/', { type: 'direct', status: 202, body: 'two' })]),
        ],
        listeners: [
          ...['one', 'two'].map((name) => ({
            ...gateway,
            name: `gateway/${name}`,
            chains: [
              {
                name,
                match: { serverNames: [`${name}.test`] },
                tls: { mode: 'terminate' as const, certificates: [name], alpn: ['h2', 'http/1.1'] },
                http: http(name, { appendForwardedFor: true }),
              },
            ],
          })),
          {
            ...gateway,
            name: 'gateway/pass',
            protocol: 'tls' as const,
            chains: [
              {
                name: 'pass',
                match: { serverNames: ['pass.test'] },
                tls: { mode: 'passthrough' as const },
                tcp: { statPrefix: 'pass', clusters: [{ name: 'behind', weight: 1 }], accessLogs: [] },
              },
            ],
          },
        ],
      }),
    )
  })
  afterAll(async () => {
    await envoy?.stop()
    await app?.close()
    await new Promise<void>((resolve) => void (behind ? behind.close(() => resolve()) : resolve()))
  })

  const ask = (servername: string): Promise<string> =>
    new Promise((resolve) => {
      let text = ''
      const socket = connectTls({ host: '127.0.0.1', port, servername, ca: ca.ca, ALPNProtocols: ['http/1.1'] })
      socket.on('secureConnect', () => socket.write(`GET /x HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`))
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('error', (error) => resolve(error.message))
      socket.on('close', () => resolve(text))
    })

  test('each host has its certificate and its routes', async () => {
    expect(envoy.ads.answers.filter(({ refused }) => refused !== undefined)).toEqual([])
    expect(await ask('one.test')).toContain('app /x')
    // Envoy names its own address for a client on the same machine
    expect(app.headers()['x-forwarded-for']).toMatch(/^[0-9.]+$/)
    expect(await ask('two.test')).toContain('202 Accepted')
  })

  test('TLS is passed through by server name', async () => {
    expect(await ask('pass.test')).toBe('behind')
  })

  test('a host that nobody has gets no connection', async () => {
    expect(await ask('none.test')).not.toContain('HTTP')
  })
})
