import { createServer, type ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../src/base/log.ts'
import { MESH_PORT, outboundName, type Endpoint, type SocketAddress } from '../src/policy/traffic/model/index.ts'
import type { ConfigSource } from '../src/data-plane/proxy/runtime/index.ts'
import { Load } from './proxy-support/load.ts'
import { ask, askHttp2, Closers, until } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed, endpoints, meshCluster, routesTo } from './proxy-support/resources.ts'
import { DOMAIN, Mesh, spiffeId } from './proxy-support/sidecar.ts'

let pair: Pair
let closers: Closers
const said: string[] = []
beforeAll(async () => {
  const log = { ...silentLogger, error: (message: string, fields?: object) => void said.push(`${message} ${JSON.stringify(fields)}`) }
  pair = await new Pair(5, 'raw', { client: { log } }).start()
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
})
afterEach(() => closers.run())

/** Answers with its own name; counts connections. */
async function named(name: string): Promise<SocketAddress & { readonly connections: () => number }> {
  let connections = 0
  const server = createServer((request, response) => void request.resume().on('end', () => response.end(name)))
  server.on('connection', () => connections++)
  return { ...(await closers.serve(server, pair.server.address)), connections: () => connections }
}

const meshed = (address: SocketAddress): Partial<Endpoint> & Pick<Endpoint, 'address'> => ({
  address,
  identity: spiffeId('db'),
  meshPort: MESH_PORT,
})
const routesOf = (vip: SocketAddress): string => outboundName(vip.address, vip.port)

describe('a change of configuration under load', () => {
  it('of routes loses no request and no connection', async () => {
    const [one, two] = [await named('one'), await named('two')]
    const vip = pair.service('http', one)
    pair.serve('http', two)
    pair.client.tell({ clusters: [meshCluster('two', 'http')], endpoints: [endpoints('two', meshed(two))] })
    const clients = 4
    const load = new Load(pair.dialed, clients)
    await load.more(20)
    for (let i = 0; i < 20; i++) {
      pair.client.tell({ routes: [routesTo(routesOf(vip), i % 2 === 0 ? 'two' : vip.address)] })
      await load.more(5)
    }
    pair.client.tell({ routes: [routesTo(routesOf(vip), 'two')] })
    const before = load.answers.length
    await load.more(20)
    expect(await load.stop()).toEqual([])
    // those that ran when it changed are still the old one's
    expect(load.answers.slice(before + clients).every(({ body }) => body === 'two')).toBe(true)
    expect(new Set(load.answers.map(({ body }) => body))).toEqual(new Set(['one', 'two']))
    expect(pair.client.metric('envoy_http_downstream_cx_total', routesOf(vip))).toBe(clients)
  })

  it('of filters, timeouts and logs of a chain, on both sides, loses none either', async () => {
    const app = await named('served')
    const vip = pair.service('http', app)
    const load = new Load(pair.dialed, 4, (i) => (i % 2 === 0 ? { body: 'x'.repeat(20_000) } : {}))
    await load.more(20)
    for (let i = 0; i < 20; i++) {
      pair.serve('http', app, { mode: i % 2 === 0 ? 'permissive' : 'strict' })
      pair.call('http', vip, [app], { outbound: { detectTimeoutMs: i } })
      await load.more(5)
    }
    expect(await load.stop()).toEqual([])
    expect(pair.client.metric('envoy_http_downstream_cx_total', routesOf(vip))).toBe(4)
  })

  it('of endpoints, one after another, as in a rolling update', async () => {
    const apps = [await named('0'), await named('1'), await named('2'), await named('3')]
    const vip = pair.service('http', apps[0] as SocketAddress)
    for (const app of apps) pair.serve('http', app)
    const load = new Load(pair.dialed, 4)
    await load.more(20)
    for (let i = 1; i < apps.length; i++) {
      pair.client.tell({ endpoints: [endpoints(vip.address, meshed(apps[i - 1] as SocketAddress), meshed(apps[i] as SocketAddress))] })
      await load.more(10)
      pair.client.tell({ endpoints: [endpoints(vip.address, meshed(apps[i] as SocketAddress))] })
      await load.more(10)
    }
    expect(await load.stop()).toEqual([])
    expect(new Set(load.answers.map(({ body }) => body))).toEqual(new Set(['0', '1', '2', '3']))
  })

  it('of a cluster that is taken away, while its requests run and wait for a connection', async () => {
    const held: ServerResponse[] = []
    const app = await closers.http(pair.server.address, (_, response) => void held.push(response))
    const vip = pair.service('http', app)
    const other = await named('other')
    pair.serve('http', other)
    const answers = [ask(pair.dialed), ask(pair.dialed)]
    const circuit = pair.client.runtime.clusters.get(vip.address)?.circuit
    await until(() => circuit?.requests === 2)
    // no connection was made so far
    expect([circuit?.pending, held.length]).toEqual([2, 0])
    pair.client.tell({
      clusters: [meshCluster('other', 'http')],
      endpoints: [endpoints('other', meshed(other))],
      routes: [routesTo(routesOf(vip), 'other')],
    })
    pair.client.forget('clusters', vip.address)
    pair.client.forget('endpoints', vip.address)
    expect(await ask(pair.dialed)).toMatchObject({ status: 200, body: 'other' })
    await until(() => held.length === 2)
    for (const response of held) response.end('held')
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['held', 'held'])
  })

  it('that cannot be executed leaves the last good one in force, and says so', async () => {
    const app = await named('served')
    const vip = pair.service('http', app)
    expect(await ask(pair.dialed)).toMatchObject({ status: 200 })
    const [host] = routesTo(routesOf(vip), vip.address).virtualHosts as [ReturnType<typeof routesTo>['virtualHosts'][0]]
    const [route] = host.routes as [(typeof host.routes)[0]]
    const broken = { ...host, routes: [{ ...route, match: { path: { regex: '(' } } }] }
    said.length = 0
    pair.client.tell({ routes: [{ name: routesOf(vip), virtualHosts: [broken] }] })
    expect(await ask(pair.dialed)).toMatchObject({ status: 200, body: 'served' })
    expect(said).toEqual([expect.stringContaining('its last good form goes on')])
    pair.client.tell({ routes: [routesTo(routesOf(vip), vip.address, { timeoutMs: 1_000 })] })
    expect(await ask(pair.dialed)).toMatchObject({ status: 200, body: 'served' })
  })
})

describe('a listener that is taken away', () => {
  it('lets requests end, and takes no more on kept connections', async () => {
    let finish = (): void => {}
    const app = await closers.http(pair.server.address, (_, response) => {
      response.write('begun ')
      finish = () => void response.end('ended')
    })
    const vip = pair.service('http', app)
    const client = await closers.connect(pair.dialed)
    await client.say('GET / HTTP/1.1\r\nhost: a\r\n\r\n').hears('begun')
    pair.client.forget('listeners', routesOf(vip))
    finish()
    await client.hears('ended')
    await client.closed(1_000)
    await (await closers.connect(pair.dialed)).say('GET / HTTP/1.1\r\nhost: a\r\n\r\n').closed(1_000)
  })

  it('lets connections of bytes go on for a while where they go out', async () => {
    const vip = pair.service('tcp', await closers.tcp(pair.server.address, (socket) => void socket.pipe(socket)))
    const client = await (await closers.connect(pair.dialed)).say('one').hears('one')
    pair.client.forget('listeners', routesOf(vip))
    await client.say('two').hears('onetwo')
    await (await closers.connect(pair.dialed)).say('x').closed(1_000)
  })

  it('that comes back is another one', async () => {
    const app = await named('served')
    const vip = pair.service('http', app)
    const session = await closers.session(pair.dialed)
    expect(await askHttp2(session)).toMatchObject({ body: 'served' })
    pair.client.forget('listeners', routesOf(vip))
    await new Promise((resolve) => session.once('close', resolve))
    pair.call('http', vip, [app])
    expect(await askHttp2(await closers.session(pair.dialed))).toMatchObject({ body: 'served' })
  })
})

describe('an address that is new to a sidecar', () => {
  const asked: string[] = []
  const released: string[] = []
  const missing = new Set<string>()
  let connected = true
  let asking: Pair
  const config: ConfigSource = {
    want: (_, name) => void asked.push(name),
    release: (_, name) => void released.push(name),
    isMissing: (_, name) => missing.has(name),
    get status() {
      return { connected }
    },
  }
  beforeAll(async () => {
    asking = await new Pair(6, 'raw', { client: { config } }).start()
  })
  afterAll(() => asking.close())
  beforeEach(() => {
    connected = true
    asked.length = 0
  })

  it('is asked about, once, and connections wait for the answer', async () => {
    const app = await closers.http(asking.server.address, (_, response) => response.end('served'))
    const vip = { address: '10.96.9.1', port: 80 }
    asking.serve('http', app)
    asking.client.outboundTo = vip
    const answers = [ask(asking.dialed), ask(asking.dialed), ask(asking.dialed)]
    await until(() => asked.length > 0)
    asking.call('http', vip, [app])
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['served', 'served', 'served'])
    expect(asked).toEqual([routesOf(vip)])
  })

  it('that is no service is closed, or passed through, as soon as that is known', async () => {
    asking.client.outboundTo = { address: '203.0.113.1', port: 443 }
    const client = (await closers.connect(asking.dialed)).say('x')
    await until(() => asked.length > 0)
    missing.add(outboundName('203.0.113.1', 443))
    const started = performance.now()
    asking.client.runtime.heard()
    await client.closed(1_000)
    await (await closers.connect(asking.dialed)).closed(1_000)
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(asked).toHaveLength(1)
  })

  it('is not waited for while there is no control plane', async () => {
    connected = false
    asking.client.outboundTo = { address: '203.0.113.2', port: 443 }
    const started = performance.now()
    await (await closers.connect(asking.dialed)).closed(1_000)
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('is forgotten again when there are thousands of them', async () => {
    connected = false
    for (let i = 0; i < 2_100; i++) {
      asking.client.outboundTo = { address: `198.18.${i >> 8}.${i & 255}`, port: 80 }
      await (await closers.connect(asking.dialed)).closed(1_000)
    }
    expect(asked.length - released.length).toBeLessThanOrEqual(2_048)
    expect(released).not.toContain(routesOf({ address: '10.96.9.1', port: 80 }))
  }, 20_000)
})

describe('identities, under load', () => {
  it('are renewed, and the authority is changed: added, switched to, retired; no request is lost', async () => {
    const [old, young] = [new Mesh(), new Mesh()]
    const both = { [DOMAIN]: [...Object.values(old.trust), ...Object.values(young.trust)].flat() }
    let trust: Readonly<Record<string, readonly string[]>> = old.trust
    let authority = old
    const signer = (account: string) => (csr: string) => Promise.resolve({ ...authority.sign(csr, spiffeId(account)), trust })
    const rotating = new Pair(14, 'raw', {
      client: { mesh: old, identity: { sign: signer('web'), random: () => 0 } },
      server: { mesh: old, identity: { sign: signer('db'), random: () => 0 } },
    })
    const sidecars = [rotating.client, rotating.server]
    try {
      await rotating.start()
      const app = await rotating.closers.http(rotating.server.address, (_, response) => response.end('served'))
      const vip = rotating.service('http', app, { rbac: allowed(spiffeId('web')) })
      const load = new Load(rotating.dialed, 4)
      /** Everything is done by new connections, with a certificate of the authority of now. */
      const renewed = async (): Promise<void> => {
        for (const [i, { identity }] of sidecars.entries()) {
          const before = identity.material?.certificate
          identity.want({ spiffeId: spiffeId(i === 0 ? 'web' : 'db'), issuer: `${authority.authority.id} ${Math.random()}` })
          await until(() => identity.material?.certificate !== before, 10_000)
          rotating.server.runtime.drainInbound()
          await load.more(10)
        }
      }
      await load.more(10)
      await renewed()
      trust = both
      for (const { identity } of sidecars) identity.setTrust(both)
      rotating.server.runtime.drainInbound()
      await load.more(10)
      authority = young
      await renewed()
      trust = young.trust
      for (const { identity } of sidecars) identity.setTrust(young.trust)
      rotating.server.runtime.drainInbound()
      await load.more(10)
      expect(await load.stop()).toEqual([])
      expect(rotating.client.metric('envoy_cluster_upstream_cx_total', vip.address)).toBeGreaterThanOrEqual(7)
      expect(rotating.client.metric('envoy_cluster_upstream_cx_connect_fail', vip.address)).toBe(0)
    } finally {
      await rotating.close()
    }
  }, 40_000)
})
