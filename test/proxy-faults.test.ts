import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { connect, createServer, type ConnectionOptions, type TlsOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock, type Clock } from '../src/base/clock.ts'
import {
  MESH_ALPN,
  MESH_PORT,
  meshServerName,
  outboundName,
  type Protocol,
  type SocketAddress,
  type TlsVersions,
} from '../src/policy/traffic/model/index.ts'
import { ask, Closers, Peer, until } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { endpoints, inbound, inboundTarget, meshCluster, outbound, routesTo } from './proxy-support/resources.ts'
import type { SignCertificateResponse } from '../src/protocols/mesh-link.ts'
import { Mesh, Sidecar, spiffeId } from './proxy-support/sidecar.ts'

const HOUR_MS = 3_600_000

let pair: Pair
let closers: Closers
beforeAll(async () => {
  pair = await new Pair(8).start()
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
})
afterEach(() => closers.run())

/** An application that says hello, and counts who came. */
async function hello(): Promise<SocketAddress & { readonly came: () => number }> {
  let came = 0
  const address = await closers.tcp(pair.server.address, (socket) => {
    came++
    socket.on('error', () => {}).write('hello')
  })
  return { ...address, came: () => came }
}

type Hello = Awaited<ReturnType<typeof hello>>

/** A client that is no sidecar, at the mesh port. */
function dialMesh(port: number, options: ConnectionOptions, to: SocketAddress = { address: pair.server.address, port: MESH_PORT }): Peer {
  const socket = connect({
    host: to.address,
    port: to.port,
    rejectUnauthorized: false,
    servername: meshServerName(port),
    ALPNProtocols: [MESH_ALPN.tcp],
    ...options,
  })
  closers.add(socket, () => socket.destroy())
  return new Peer(socket)
}

describe('a client whose TLS is not good', () => {
  const OTHER = new Mesh()
  const own = (): ConnectionOptions => pair.mesh.pem(spiffeId('web'))

  function serve(app: Hello, mode: 'strict' | 'permissive' = 'strict', versions?: TlsVersions): void {
    pair.serve('tcp', app, { mode })
    const listener = pair.server.runtime.snapshot.listeners.get(`inbound|${app.port}`)
    if (!versions || !listener) return
    const chains = listener.chains.map((chain) =>
      chain.tls?.mode === 'mesh' ? { ...chain, tls: { mode: 'mesh' as const, versions } } : chain,
    )
    pair.server.tell({ listeners: [{ ...listener, chains }] })
  }

  it('unless nothing is wrong with it', async () => {
    const app = await hello()
    serve(app)
    await dialMesh(app.port, own()).hears('hello')
    expect(app.came()).toBe(1)
  })

  it.each<[string, () => ConnectionOptions]>([
    ['the certificate of another authority, for the same domain', () => OTHER.pem(spiffeId('web'))],
    ['a certificate that has run out', () => pair.mesh.pem(spiffeId('web'), Date.now() - 3 * HOUR_MS, HOUR_MS)],
    ['a certificate that is not good yet', () => pair.mesh.pem(spiffeId('web'), Date.now() + 3 * HOUR_MS, HOUR_MS)],
    ['no certificate', () => ({})],
    ['TLS 1.1', () => ({ ...own(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })],
    ['a protocol that the port does not carry', () => ({ ...own(), ALPNProtocols: [MESH_ALPN.http2] })],
  ])('%s: is refused before the application hears of it, in strict and in permissive mode', async (_, options) => {
    for (const mode of ['strict', 'permissive'] as const) {
      const app = await hello()
      serve(app, mode)
      const client = dialMesh(app.port, options())
      await client.closed(2_000)
      expect([client.text, app.came()]).toEqual(['', 0])
      expect(pair.server.metric('envoy_listener_ssl_connection_error', `inbound|${app.port}`)).toBe(1)
    }
  })

  it('TLS 1.2 is taken, unless the rules for the port say otherwise', async () => {
    const app = await hello()
    const old: ConnectionOptions = { ...own(), maxVersion: 'TLSv1.2' }
    serve(app)
    await dialMesh(app.port, old).hears('hello')
    serve(app, 'strict', { min: 'TLS13' })
    await dialMesh(app.port, old).closed(2_000)
    await dialMesh(app.port, own()).hears('hello')
    expect(app.came()).toBe(2)
  })

  it.each<[string, ConnectionOptions]>([
    ['a port that nobody has', { servername: 'p1.mesh.biplane' }],
    ['a name that means no port', { servername: 'db.shop' }],
    ['no name', { servername: '' }],
  ])('the server name asks for %s: is closed', async (_, options) => {
    await dialMesh(1, { ...own(), ...options }).closed(2_000)
  })

  it.each([
    [
      'plain text',
      (to: SocketAddress) => new Peer(closers.add(connectTcp(to.port, to.address), (one) => one.destroy())).say('GET / HTTP/1.1\r\n\r\n'),
    ],
    ['TLS of its own', (to: SocketAddress) => dialMesh(1, { ALPNProtocols: ['h2'], servername: 'db.shop' }, to)],
  ] as const)('in strict mode it comes with %s: is closed, and counted', async (_, dial) => {
    const app = await hello()
    serve(app)
    pair.server.inboundTo = app
    const client = dial(pair.plain)
    await client.closed(2_000)
    expect([client.text, app.came()]).toEqual(['', 0])
    expect(pair.server.metric('envoy_listener_no_filter_chain_match', `inbound|${app.port}`)).toBe(1)
  })

  it('breaks off in the middle of its hello, or of the handshake: nothing is left behind', async () => {
    const app = await hello()
    serve(app)
    pair.server.inboundTo = app
    const connections = pair.server.runtime.connections
    for (const to of [pair.plain, { address: pair.server.address, port: MESH_PORT }]) {
      const half = await closers.connect(to)
      half.say(Buffer.from('160301020001000', 'hex'))
      half.socket.end()
      await half.closed(2_000)
    }
    const gone = connect({ host: pair.plain.address, port: pair.plain.port, rejectUnauthorized: false, ALPNProtocols: [MESH_ALPN.tcp] })
    gone.on('error', () => {}).once('connect', () => setImmediate(() => gone.destroy()))
    await new Promise((resolve) => gone.once('close', resolve))
    await dialMesh(app.port, own()).hears('hello')
    expect([app.came(), pair.server.runtime.connections]).toEqual([1, connections + 1])
  })
})

describe('a server whose TLS is not good', () => {
  /** Tells the client of a server that is no sidecar. */
  function call(protocol: Protocol, address: SocketAddress, identity = spiffeId('db')): void {
    const vip = { address: '10.96.8.1', port: 80 }
    pair.call(protocol, vip, [])
    pair.client.tell({ clusters: [meshCluster(vip.address, protocol)], endpoints: [endpoints(vip.address, { address, identity })] })
    pair.client.outboundTo = vip
  }

  /** Counts what was said to it once it had shown its certificate. */
  async function fake(options: TlsOptions): Promise<SocketAddress & { readonly heard: () => number }> {
    let heard = 0
    const server = createServer(
      { ALPNProtocols: Object.values(MESH_ALPN), requestCert: true, rejectUnauthorized: false, ...options },
      (socket) => socket.on('error', () => {}).on('data', (chunk: Buffer) => (heard += chunk.length)),
    )
    return { ...(await closers.serve(server, pair.server.address)), heard: () => heard }
  }

  async function expectRefused(server: { readonly heard: () => number }): Promise<void> {
    expect(await ask(pair.dialed)).toMatchObject({
      status: 503,
      body: expect.stringContaining('remote connection failure, transport failure reason: TLS') as unknown,
    })
    expect(server.heard()).toBe(0)
  }

  it.each<[string, () => TlsOptions, string?]>([
    ['is somebody else', () => pair.mesh.pem(spiffeId('web'))],
    ['has a name that begins like the one that is expected', () => pair.mesh.pem(`${spiffeId('db')}/x`)],
    ['has another authority', () => new Mesh().pem(spiffeId('db'))],
    ['has a certificate that has run out', () => pair.mesh.pem(spiffeId('db'), Date.now() - 3 * HOUR_MS, HOUR_MS)],
    ['speaks TLS 1.2', () => ({ ...pair.mesh.pem(spiffeId('db')), maxVersion: 'TLSv1.2' })],
  ])('%s: gets no byte of a request', async (_, options) => {
    const server = await fake(options())
    call('http', server)
    await expectRefused(server)
    call('tcp', server)
    await (await closers.connect(pair.dialed)).say('secret').closed(2_000)
    expect(server.heard()).toBe(0)
  })

  it('does not speak TLS at all: it is not spoken to in plain text instead', async () => {
    let heard = ''
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1')
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    })
    call('http', await closers.serve(server, pair.server.address))
    expect(await ask(pair.dialed, { path: '/secret' })).toMatchObject({ status: 503 })
    expect(heard).not.toContain('secret')
  })

  it('is a sidecar of another mesh: is refused by both', async () => {
    const stranger = new Sidecar({ address: '127.91.8.3', account: 'db', mesh: new Mesh() })
    closers.add(await stranger.start(), (one) => one.close())
    call('http', { address: stranger.address, port: MESH_PORT })
    expect(await ask(pair.dialed)).toMatchObject({ status: 503 })
  })
})

describe('a sidecar’s own identity', () => {
  it('is not there yet: calls of the mesh fail, and are not made in plain text', async () => {
    let heard = 0
    const server = createTcpServer((socket) => void socket.on('error', () => {}).on('data', (chunk: Buffer) => (heard += chunk.length)))
    const address = await closers.serve(server, pair.server.address)
    const client = new Sidecar({ address: '127.91.8.4', account: 'web', mesh: pair.mesh, identity: { sign: () => new Promise(() => {}) } })
    closers.add(client, (one) => one.close())
    await client.runtime.listenIntercepted(client.address)
    const vip = { address: '10.96.8.2', port: 80 }
    client.tell({
      listeners: [outbound(vip, 'http', vip.address)],
      routes: [routesTo(outboundName(vip.address, vip.port), vip.address)],
      clusters: [meshCluster(vip.address, 'http')],
      endpoints: [endpoints(vip.address, { address, identity: spiffeId('db') })],
    })
    client.outboundTo = vip
    expect(await ask({ address: client.address, port: pair.dialed.port })).toMatchObject({ status: 503 })
    expect(heard).toBe(0)
  })

  it('has run out while the control plane was away: nothing new is taken, what is open goes on', async () => {
    let offsetMs = 0
    let away = false
    const clock: Clock = {
      now: () => systemClock.now() + offsetMs,
      monotonic: () => systemClock.monotonic(),
      after: (ms, fn) => systemClock.after(ms, fn),
    }
    const sign = (csr: string): Promise<SignCertificateResponse> =>
      away ? Promise.reject(new Error('the control plane is away')) : Promise.resolve(pair.mesh.sign(csr, spiffeId('db'), clock.now()))
    const server = await new Sidecar({ address: '127.91.8.5', account: 'db', mesh: pair.mesh, clock, identity: { sign } }).start()
    closers.add(server, (one) => one.close())
    const app = await closers.tcp(server.address, (socket) => void socket.pipe(socket))
    server.tell({ listeners: [inbound(app, 'tcp')], ...inboundTarget(app, 'tcp') })
    const dial = (): Peer => dialMesh(app.port, pair.mesh.pem(spiffeId('web')), { address: server.address, port: MESH_PORT })
    const kept = await dial().say('before').hears('before')
    away = true
    offsetMs = 2 * HOUR_MS
    const refused = await dial().say('x').closed(2_000)
    expect(refused.text).toBe('')
    await kept.say(' after').hears('before after')
    expect(server.identity.material).toBeUndefined()
    away = false
    server.identity.want({ spiffeId: spiffeId('db'), issuer: 'another' })
    await until(() => server.identity.material !== undefined)
  })
})
