import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  HEALTH_PORT,
  INBOUND_ANY,
  INBOUND_PORT,
  MESH_PORT,
  OUTBOUND_ANY,
  OUTBOUND_PORT,
  type FilterChain,
  type Listener,
  type Rbac,
} from '../src/policy/traffic/model/index.ts'
import { ask, Closers } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed, cluster, OPEN, tcpTo } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'

/** What the compiler gives for ports that nobody declares. */
function anyInbound(mode: 'strict' | 'permissive', rbac: Rbac = OPEN): Listener {
  const tcp = tcpTo(INBOUND_ANY)
  const mesh: FilterChain = { name: 'mesh', match: { transport: ['mesh'] }, tls: { mode: 'mesh' }, connection: { rbac }, tcp }
  const others: readonly FilterChain[] = [
    { name: 'plaintext', match: { transport: ['plaintext'] }, tcp },
    { name: 'tls', match: { transport: ['tls'] }, tcp },
  ]
  return {
    name: INBOUND_ANY,
    direction: 'inbound',
    address: { address: '0.0.0.0', port: 0 },
    protocol: 'tcp',
    detectTimeoutMs: 200,
    chains: [mesh, ...(mode === 'strict' ? [] : others)],
  }
}

let pair: Pair
let closers: Closers
beforeAll(async () => {
  pair = await new Pair(3).start()
  pair.server.tell({ clusters: [cluster(INBOUND_ANY, { discovery: { type: 'originalDestination' }, protocol: 'tcp' })] })
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
  pair.server.forget('listeners', INBOUND_ANY)
})
afterEach(() => closers.run())

const greeting = (): ReturnType<Closers['tcp']> =>
  closers.tcp(pair.server.address, (socket) => {
    socket.write('hello ')
    socket.on('data', (chunk: Buffer) => socket.end(chunk.toString().toUpperCase()))
  })

describe('a port that neither pod nor service declares', () => {
  it('is closed as long as nothing is told of such ports', async () => {
    pair.server.inboundTo = await greeting()
    expect((await (await closers.connect(pair.plain)).closed(1_000)).text).toBe('')
  })

  it('is reached in plain text where that is permitted: requests, other bytes, servers that speak first', async () => {
    pair.server.tell({ listeners: [anyInbound('permissive')] })
    pair.server.inboundTo = await closers.http(pair.server.address, (request, response) => response.end(`asked for ${request.url}`))
    expect(await ask(pair.plain, { path: '/x' })).toMatchObject({ status: 200, body: 'asked for /x' })
    pair.server.inboundTo = await greeting()
    await (await closers.connect(pair.plain)).say('first').hears('hello FIRST')
    const second = await (await closers.connect(pair.plain)).hears('hello ')
    await second.say('second').hears('SECOND')
  })

  it('is reached by TLS of the application’s own where that is permitted', async () => {
    pair.server.tell({ listeners: [anyInbound('permissive')] })
    const server = createTlsServer(pair.mesh.pem('spiffe://mesh.test/own'), (socket) => socket.on('error', () => {}).end('own'))
    pair.server.inboundTo = await closers.serve(server, pair.server.address)
    const { connect } = await import('node:tls')
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: pair.plain.address, port: pair.plain.port, rejectUnauthorized: false })
      closers.add(socket, () => socket.destroy())
      socket.on('data', (chunk: Buffer) => resolve(chunk.toString()))
      socket.on('error', reject)
    })
    expect(text).toBe('own')
  })

  it('takes no plain text under strict, neither from a client that speaks nor from one that waits', async () => {
    pair.server.tell({ listeners: [anyInbound('strict')] })
    pair.server.inboundTo = await greeting()
    const before = pair.server.metric('envoy_listener_no_filter_chain_match', INBOUND_ANY)
    const [speaks, waits] = [(await closers.connect(pair.plain)).say('first'), await closers.connect(pair.plain)]
    await Promise.all([speaks.closed(1_000), waits.closed(1_000)])
    expect([speaks.text, waits.text]).toEqual(['', ''])
    expect(pair.server.metric('envoy_listener_no_filter_chain_match', INBOUND_ANY) - before).toBe(2)
  })

  it('takes callers of the mesh whom the permissions name, and nobody else', async () => {
    const app = await greeting()
    pair.call('tcp', { address: '10.96.1.1', port: 80 }, [app])
    pair.client.outboundTo = { address: '10.96.1.1', port: 80 }
    pair.server.tell({ listeners: [anyInbound('strict', allowed(spiffeId('web')))] })
    await (await closers.connect(pair.dialed)).say('first').hears('hello FIRST')
    pair.server.tell({ listeners: [anyInbound('strict', allowed(spiffeId('somebody')))] })
    const refused = await (await closers.connect(pair.dialed)).say('second').closed(2_000)
    expect(refused.text).toBe('')
    expect(pair.server.metric('envoy_tcp_connection_rbac_denied', INBOUND_ANY)).toBe(1)
  })

  it.each([INBOUND_PORT, OUTBOUND_PORT, MESH_PORT, HEALTH_PORT])('is none of the sidecar’s own: %i', async (port) => {
    pair.server.tell({ listeners: [anyInbound('permissive')] })
    pair.server.inboundTo = { address: pair.server.address, port }
    const before = pair.server.metric('envoy_tcp_downstream_cx_total', INBOUND_ANY)
    await (await closers.connect(pair.plain)).say('x').closed(1_000)
    expect(pair.server.metric('envoy_tcp_downstream_cx_total', INBOUND_ANY)).toBe(before)
  })
})

describe('what nobody has redirected', () => {
  it.each(['inbound', 'outbound'] as const)('is closed, not sent round in a circle: %s', async (direction) => {
    const own = pair.client.intercepted[direction]
    pair.client.tell({
      listeners: [{ ...anyInbound('permissive'), name: OUTBOUND_ANY, direction: 'outbound' }, anyInbound('permissive')],
      clusters: [cluster(INBOUND_ANY, { discovery: { type: 'originalDestination' }, protocol: 'tcp' })],
    })
    pair.client.inboundTo = pair.client.outboundTo = own
    const total = (): number => pair.client.metric('envoy_tcp_downstream_cx_total', INBOUND_ANY)
    const before = total()
    await (await closers.connect(own)).say('x').closed(1_000)
    expect(total()).toBe(before)
  })
})

describe('an address of a pod, dialled as it is', () => {
  const passthrough: Listener = {
    name: OUTBOUND_ANY,
    direction: 'outbound',
    address: { address: '0.0.0.0', port: 0 },
    protocol: 'tcp',
    chains: [{ name: 'all', match: {}, tcp: tcpTo('passthrough') }],
  }
  beforeEach(() =>
    pair.client.tell({
      listeners: [passthrough],
      clusters: [cluster('passthrough', { discovery: { type: 'originalDestination' }, protocol: 'mirror' })],
    }),
  )

  it('is reached in plain text where no sidecar stands before it', async () => {
    pair.client.outboundTo = await closers.http(pair.server.address, (request, response) => response.end(`asked for ${request.url}`))
    expect(await ask(pair.dialed, { path: '/pod' })).toMatchObject({ status: 200, body: 'asked for /pod' })
    pair.client.outboundTo = await greeting()
    await (await closers.connect(pair.dialed)).hears('hello ')
  })

  it('is closed at once where its sidecar is strict, and both sides say so', async () => {
    const app = await closers.http(pair.server.address, (_, response) => response.end('never'))
    pair.serve('http', app)
    pair.server.inboundTo = app
    // where the pod's own interception takes it
    pair.client.outboundTo = pair.plain
    const started = performance.now()
    await expect(ask(pair.dialed)).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(pair.server.metric('envoy_listener_no_filter_chain_match', `inbound|${app.port}`)).toBe(1)
    expect(pair.client.metric('envoy_tcp_downstream_cx_total', 'passthrough')).toBeGreaterThan(0)
  })

  it('that nobody answers at is closed, and counted as a connection that failed', async () => {
    const before = pair.client.metric('envoy_cluster_upstream_cx_connect_fail', 'passthrough')
    pair.client.outboundTo = { address: pair.server.address, port: 1 }
    await expect(ask(pair.dialed)).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(pair.client.metric('envoy_cluster_upstream_cx_connect_fail', 'passthrough')).toBe(before + 1)
  })

  it('may not be called at all where nothing is passed through', async () => {
    pair.client.forget('listeners', OUTBOUND_ANY)
    pair.client.outboundTo = await greeting()
    expect((await (await closers.connect(pair.dialed)).closed(1_000)).text).toBe('')
  })
})
