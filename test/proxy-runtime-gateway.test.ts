import { connect as connectHttp2, constants } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import { connect, createServer as createTlsServer, type ConnectionOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  MESH_PORT,
  type DownstreamTls,
  type FilterChain,
  type Listener,
  type Secret,
  type SocketAddress,
} from '../src/policy/traffic/model/index.ts'
import { meshCa } from './envoy-support/mesh-ca.ts'
import { ask, Closers, Peer, until, type Answer } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed, cluster, endpoints, manager, meshCluster, routesTo, tcpTo } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'
import { freePort } from './support/free-port.ts'

const LOOPBACK = '127.0.0.1'
/** As names of Secrets in namespaces are. */
const LONG = 'secret/namespace-of-a-team/certificate-of-its-shop'
const ca = meshCa('outside.test')

let pair: Pair
let closers: Closers
let port: number
beforeAll(async () => {
  pair = await new Pair(13).start()
})
afterAll(() => pair.close())
beforeEach(async () => {
  closers = new Closers()
  port = await freePort()
  const app = await closers.http(pair.server.address, (request, response) => response.end(`${request.headers.host} ${request.url}`))
  pair.serve('http', app, { rbac: allowed(spiffeId('web')) })
  pair.client.tell({
    clusters: [meshCluster('app', 'http')],
    endpoints: [endpoints('app', { address: app, identity: spiffeId('db'), meshPort: MESH_PORT })],
    routes: [routesTo('web', 'app')],
  })
})
afterEach(async () => {
  pair.client.forget('listeners', 'gateway|g')
  await pair.client.runtime.bindGateways()
  await closers.run()
})

async function bind(chains: readonly FilterChain[], protocol: Listener['protocol'] = 'http', at: number = port): Promise<void> {
  const listener: Listener = { name: 'gateway|g', direction: 'gateway', address: { address: '0.0.0.0', port: at }, protocol, chains }
  pair.client.tell({ listeners: [listener] })
  await pair.client.runtime.bindGateways()
}

function secret(name: string, host: string): Secret {
  const { certificate, privateKey } = ca.server(host)
  return { name, certificate, privateKey }
}

const http = (name: string, parts: Partial<FilterChain> = {}): FilterChain => ({ name, match: {}, http: manager('web'), ...parts })
const terminate = (...certificates: readonly string[]): DownstreamTls => ({ mode: 'terminate', certificates, alpn: ['h2', 'http/1.1'] })

function askHttps(host: string, options: ConnectionOptions = {}, at: number = port): Promise<Answer & { readonly names: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(
      { host: LOOPBACK, port: at, servername: host, headers: { host }, ca: ca.ca, agent: false, ...options },
      (response) => {
        const socket = response.socket as unknown as { getPeerX509Certificate(): { subjectAltName?: string } | undefined }
        const names = socket.getPeerX509Certificate()?.subjectAltName ?? ''
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, trailers: {}, body, names }))
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

describe('a gateway', () => {
  it('takes HTTP, and calls services of the mesh with its own identity', async () => {
    await bind([http('http')])
    const answer = await ask({ address: LOOPBACK, port }, { path: '/x', headers: { host: 'shop.example' } })
    expect([answer.status, answer.body]).toEqual([200, 'shop.example /x'])
  })

  it('ends TLS with the certificate of the name that is asked for, in HTTP/1.1 and HTTP/2', async () => {
    pair.client.tell({ secrets: [secret(LONG, 'a.example'), secret('b', '*.b.example')] })
    await bind([http('https', { tls: terminate(LONG, 'b') })])
    expect(await askHttps('a.example')).toMatchObject({ status: 200, body: 'a.example /', names: 'DNS:a.example' })
    expect(await askHttps('x.b.example')).toMatchObject({ status: 200, body: 'x.b.example /', names: 'DNS:*.b.example' })
    const session = connectHttp2(`https://a.example:${port}`, {
      ca: ca.ca,
      lookup: (_host, _options, done) => done(null, [{ address: LOOPBACK, family: 4 }] as never, 4),
    })
    closers.add(session, (one) => one.destroy())
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject)
      const stream = session.request({ [constants.HTTP2_HEADER_PATH]: '/two' })
      stream.on('response', (headers) => resolve(headers[':status']))
      stream.resume()
    })
    expect(status).toBe(200)
  })

  it('keeps the chains of names apart, and closes what asks for a name that nobody has', async () => {
    pair.client.tell({
      secrets: [secret('a', 'a.shop.example'), secret('any', '*.shop.example')],
      routes: [{ name: 'none', virtualHosts: [] }],
    })
    await bind([
      http('a', { match: { serverNames: ['a.shop.example'] }, tls: terminate('a') }),
      http('any', { match: { serverNames: ['*.shop.example'] }, tls: terminate('any'), http: manager('none') }),
    ])
    expect(await askHttps('a.shop.example')).toMatchObject({ status: 200 })
    expect(await askHttps('b.shop.example')).toMatchObject({ status: 404, names: 'DNS:*.shop.example' })
    await expect(askHttps('a.elsewhere')).rejects.toThrow(/disconnected|ECONNRESET|hang up/)
    await expect(ask({ address: LOOPBACK, port })).rejects.toThrow(/ECONNRESET|hang up/)
  })

  it('takes a new certificate for new connections, and keeps the old ones', async () => {
    pair.client.tell({ secrets: [secret('a', 'a.example')] })
    await bind([http('https', { tls: terminate('a') })])
    const kept = connect({ host: LOOPBACK, port, servername: 'a.example', ca: ca.ca, ALPNProtocols: ['http/1.1'] })
    closers.add(kept, (one) => one.destroy())
    const peer = new Peer(kept)
    await peer.say('GET /1 HTTP/1.1\r\nhost: a.example\r\n\r\n').hears('/1')
    pair.client.tell({ secrets: [{ ...secret('a', 'new.example'), name: 'a' }] })
    expect(await askHttps('new.example')).toMatchObject({ status: 200, names: 'DNS:new.example' })
    await peer.say('GET /2 HTTP/1.1\r\nhost: a.example\r\n\r\n').hears('/2')
  })

  it('asks clients for a certificate where it is told to', async () => {
    pair.client.tell({ secrets: [secret('a', 'a.example'), { name: 'clients', ca: ca.ca }] })
    await bind([http('https', { tls: { ...terminate('a'), clientCa: 'clients' } as DownstreamTls })])
    await expect(askHttps('a.example')).rejects.toThrow(/certificate required|ECONNRESET|hang up|disconnected/)
    const { certificate, privateKey } = meshCa('outside.test').server('client')
    await expect(askHttps('a.example', { cert: certificate, key: privateKey })).rejects.toThrow(
      /unknown ca|ECONNRESET|hang up|disconnected/,
    )
    const good = ca.server('client')
    expect(await askHttps('a.example', { cert: good.certificate, key: good.privateKey })).toMatchObject({ status: 200 })
  })

  it('hands TLS on by its server name where it does not end it', async () => {
    const { certificate, privateKey } = ca.server('deep.example')
    const server = createTlsServer({ cert: certificate, key: privateKey }, (socket) => socket.on('error', () => {}).end('deep'))
    const address: SocketAddress = await closers.serve(server, pair.server.address)
    pair.client.tell({ clusters: [cluster('deep', { protocol: 'tcp', discovery: { type: 'static', addresses: [address] } })] })
    await bind(
      [{ name: 'deep', match: { serverNames: ['deep.example'], transport: ['tls'] }, tls: { mode: 'passthrough' }, tcp: tcpTo('deep') }],
      'tls',
    )
    const text = await new Promise<string>((resolve, reject) => {
      const socket = closers.add(connect({ host: LOOPBACK, port, servername: 'deep.example', ca: ca.ca }), (one) => one.destroy())
      socket.on('data', (chunk: Buffer) => resolve(chunk.toString()))
      socket.on('error', reject)
    })
    expect(text).toBe('deep')
  })

  it('moves to another port, and leaves the old one when what runs there has ended', async () => {
    await bind([http('http')])
    const kept = await closers.connect({ address: LOOPBACK, port })
    await kept.say('GET /1 HTTP/1.1\r\nhost: a\r\n\r\n').hears('/1')
    const other = await freePort()
    await bind([http('http')], 'http', other)
    expect((await ask({ address: LOOPBACK, port: other })).status).toBe(200)
    await expect(ask({ address: LOOPBACK, port })).rejects.toThrow(/ECONNREFUSED/)
    await kept.say('GET /2 HTTP/1.1\r\nhost: a\r\n\r\n').hears('/2')
  })

  it('that cannot have its port says so, and carries on with the others', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(port, '::', resolve))
    closers.add(taken, (one) => new Promise((resolve) => one.close(resolve)))
    await bind([http('http')])
    const other = await freePort()
    await bind([http('http')], 'http', other)
    expect((await ask({ address: LOOPBACK, port: other })).status).toBe(200)
  })

  it('that is taken away closes its port and its connections', async () => {
    await bind([http('http')])
    const kept = await closers.connect({ address: LOOPBACK, port })
    await kept.say('GET /1 HTTP/1.1\r\nhost: a\r\n\r\n').hears('/1')
    pair.client.forget('listeners', 'gateway|g')
    await pair.client.runtime.bindGateways()
    await kept.closed(1_000)
    await expect(ask({ address: LOOPBACK, port })).rejects.toThrow(/ECONNREFUSED/)
    await until(() => pair.client.metric('envoy_http_downstream_cx_active', 'web') === 0)
  })
})
