import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Compiler } from '../src/policy/traffic/compile/index.ts'
import type { MeshServiceView, MeshWorld, ProxyView } from '../src/policy/traffic/input/index.ts'
import {
  MESH_PORT,
  type Cluster,
  type Listener,
  type Protocol,
  type RouteConfiguration,
  type SocketAddress,
} from '../src/policy/traffic/model/index.ts'
import { POLICY_PLUGINS } from '../src/policy/traffic/policies/index.ts'
import { Pair } from './proxy-support/pair.ts'
import { ask, Closers } from './proxy-support/peers.ts'
import { allowed } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'

let pair: Pair
let closers: Closers
beforeAll(async () => {
  pair = await new Pair(14).start()
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
})
afterEach(() => closers.run())

const CALLER: ProxyView = {
  name: 'web.a',
  kind: 'sidecar',
  dataPlane: 'biplane',
  namespace: 'a',
  pod: 'web',
  labels: {},
  serviceAccount: 'web',
  node: 'n',
  ips: ['127.91.14.1'],
  ports: [],
  draining: false,
}

/** Tells the caller what the compiler makes of a service with this endpoint, and lets it dial the endpoint's own address. */
function dialPod(app: SocketAddress, protocol: Protocol, identity: string): void {
  const service: MeshServiceView = {
    kind: 'Service',
    namespace: 'a',
    name: 'db',
    labels: {},
    vips: ['10.96.7.7'],
    headless: false,
    hostnames: [],
    ports: [
      { port: 80, name: '', protocol, targetPort: app.port, endpoints: [{ address: app, state: 'ready', identity, meshPort: MESH_PORT }] },
    ],
  }
  const world: MeshWorld = {
    mesh: { mtls: true, trustDomain: 'mesh.test', issuer: '', defaultMode: 'strict', defaultPermission: 'allow', domain: 'cluster.local' },
    services: new Map([['a/db', service]]),
    routes: [],
    policies: [],
    gateways: [],
    secrets: new Map(),
    trust: {},
  }
  const { resources } = new Compiler(world, POLICY_PLUGINS).compile(CALLER)
  const of = <T>(type: string): T[] => resources.filter((one) => one.type === type).map(({ value }) => value as T)
  pair.client.tell({ listeners: of<Listener>('listener'), routes: of<RouteConfiguration>('route'), clusters: of<Cluster>('cluster') })
  pair.client.outboundTo = app
}

describe('a pod of the mesh that is dialled by its own address, where its sidecar is strict', () => {
  it('is asked over HTTP, with the caller’s identity', async () => {
    const app = await closers.http(pair.server.address, (request, response) =>
      response.end(`${request.url} by ${String(request.headers['x-forwarded-client-cert'])}`),
    )
    pair.serve('http', app, { mode: 'strict', rbac: allowed(spiffeId('web')) })
    dialPod(app, 'http', spiffeId('db'))
    const answer = await ask(pair.dialed, { path: '/pod' })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatch(new RegExp(`^/pod by .*${spiffeId('web')}`))
  })

  it('hears bytes, and speaks first', async () => {
    const app = await closers.tcp(pair.server.address, (socket) => {
      socket.write('hello ')
      socket.on('data', (chunk: Buffer) => socket.end(chunk.toString().toUpperCase()))
    })
    pair.serve('tcp', app, { mode: 'strict', rbac: allowed(spiffeId('web')) })
    dialPod(app, 'tcp', spiffeId('db'))
    const client = await (await closers.connect(pair.dialed)).hears('hello ')
    await client.say('bytes').hears('BYTES')
  })

  it('is not spoken to when somebody else answers there', async () => {
    const app = await closers.http(pair.server.address, (_, response) => response.end('never'))
    pair.serve('http', app, { mode: 'strict' })
    dialPod(app, 'http', spiffeId('somebody'))
    expect((await ask(pair.dialed)).status).toBe(503)
  })

  it('refuses whom its permissions do not name', async () => {
    const app = await closers.http(pair.server.address, (_, response) => response.end('never'))
    pair.serve('http', app, { mode: 'strict', rbac: allowed(spiffeId('somebody')) })
    dialPod(app, 'http', spiffeId('db'))
    expect((await ask(pair.dialed)).status).toBe(403)
  })
})
