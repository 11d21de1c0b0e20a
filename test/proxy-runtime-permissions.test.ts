import { Agent, createServer, request as httpRequest, type ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { REVOKED_MS } from '../src/data-plane/proxy/runtime/live-chain.ts'
import type { Protocol, SocketAddress } from '../src/policy/traffic/model/index.ts'
import { ask, askHttp2, Closers } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'

const WEB = allowed(spiffeId('web'))
const OTHERS = allowed(spiffeId('other'))

let pair: Pair
let closers: Closers
beforeAll(async () => {
  pair = await new Pair(4).start()
})
afterAll(() => pair.close())
beforeEach(() => {
  closers = new Closers()
})
afterEach(() => closers.run())

const echo = (): Promise<SocketAddress> => closers.tcp(pair.server.address, (socket) => void socket.pipe(socket))
const web = (listener: (path: string, response: ServerResponse) => void): Promise<SocketAddress> =>
  closers.http(pair.server.address, (request, response) => listener(request.url ?? '', response))
const web2 = (listener: (path: string, stream: ServerHttp2Stream) => void): Promise<SocketAddress> =>
  closers.http2(pair.server.address, (stream, headers) => listener(String(headers[':path']), stream))

describe('permissions, by the identity that a caller has shown', () => {
  it('let requests pass, or answer 403', async () => {
    const seen: string[] = []
    const app = await web((path, response) => {
      seen.push(path)
      response.end('served')
    })
    pair.service('http', app, { rbac: WEB })
    expect(await ask(pair.dialed, { path: '/allowed' })).toMatchObject({ status: 200, body: 'served' })
    pair.service('http', app, { rbac: OTHERS })
    expect(await ask(pair.dialed, { path: '/denied' })).toMatchObject({ status: 403, body: 'RBAC: access denied' })
    expect(seen).toEqual(['/allowed'])
  })

  it('let calls of gRPC pass, or answer PERMISSION_DENIED', async () => {
    const app = await web2((_, stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true })
    })
    pair.service('grpc', app, { rbac: OTHERS })
    const session = await closers.session(pair.dialed)
    const call = { path: '/t.T/Say', method: 'POST', headers: { 'content-type': 'application/grpc', te: 'trailers' } }
    expect((await askHttp2(session, call)).headers).toMatchObject({ ':status': 200, 'grpc-status': '7' })
    pair.serve('grpc', app, { rbac: WEB })
    expect((await askHttp2(session, call)).headers).toMatchObject({ ':status': 200, 'grpc-status': '0' })
  })

  it('let connections of bytes pass, or close them before the application hears of them', async () => {
    let came = 0
    const app = await closers.tcp(pair.server.address, (socket) => {
      came++
      socket.pipe(socket)
    })
    pair.service('tcp', app, { rbac: OTHERS })
    await (await closers.connect(pair.dialed)).say('x').closed(1_000)
    expect(came).toBe(0)
    pair.serve('tcp', app, { rbac: WEB })
    await (await closers.connect(pair.dialed)).say('x').hears('x')
  })
})

describe('a permission that is revoked', () => {
  it('ends open connections of bytes at once, on both sides', async () => {
    const ends: Promise<unknown>[] = []
    const app = await closers.tcp(pair.server.address, (socket) => {
      ends.push(new Promise((resolve) => socket.on('close', resolve)))
      socket.pipe(socket)
    })
    pair.service('tcp', app, { rbac: WEB })
    const active = (): number => pair.server.metric('envoy_tcp_downstream_cx_active', `inbound|${app.port}`)
    const client = await (await closers.connect(pair.dialed)).say('x').hears('x')
    expect(active()).toBe(1)
    pair.serve('tcp', app, { rbac: OTHERS })
    await client.closed(1_000)
    await Promise.all(ends)
    expect(active()).toBe(0)
  })

  it.each<[string, Protocol]>([
    ['declared', 'http'],
    ['found out', 'auto'],
  ])('answers 403 to the next request on a kept connection of HTTP/1.1, protocol %s', async (_, protocol) => {
    const app = await web((_path, response) => response.end('served'))
    pair.service(protocol, app, { rbac: WEB })
    const agent = closers.add(new Agent({ keepAlive: true, maxSockets: 1 }), (one) => one.destroy())
    expect(await ask(pair.dialed, { agent })).toMatchObject({ status: 200 })
    pair.serve(protocol, app, { rbac: OTHERS })
    expect(await ask(pair.dialed, { agent })).toMatchObject({ status: 403 })
    pair.serve(protocol, app, { rbac: WEB })
    expect(await ask(pair.dialed, { agent })).toMatchObject({ status: 200 })
  })

  it('answers 403 to the next requests on a connection of HTTP/2', async () => {
    const app = await web2((_, stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    pair.service('http2', app, { rbac: WEB })
    const session = await closers.session(pair.dialed)
    expect(await askHttp2(session)).toMatchObject({ status: 200 })
    pair.serve('http2', app, { rbac: OTHERS })
    const answers = await Promise.all([askHttp2(session), askHttp2(session), askHttp2(session)])
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403])
  })

  it('lets an answer end that has begun', async () => {
    let finish = (): void => {}
    const app = await web((_, response) => {
      response.write('begun ')
      finish = () => void response.end('ended')
    })
    pair.service('http', app, { rbac: WEB })
    const text = await new Promise<string>((resolve, reject) => {
      const sent = httpRequest({ host: pair.dialed.address, port: pair.dialed.port, agent: false }, (response) => {
        let heard = ''
        response.on('data', (chunk: Buffer) => {
          heard += chunk.toString()
          if (heard !== 'begun ') return
          pair.serve('http', app, { rbac: OTHERS })
          finish()
        })
        response.on('end', () => resolve(heard))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end()
    })
    expect(text).toBe('begun ended')
    expect(await ask(pair.dialed)).toMatchObject({ status: 403 })
  })

  it('ends WebSockets and endless streams within seconds', async () => {
    const sockets = await closers.serve(
      createServer().on('upgrade', (_, socket: Socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\nopen')
        socket.on('error', () => {})
      }),
      pair.server.address,
    )
    const streams = await web2((_, stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write('open')
    })
    pair.service('http', sockets, { rbac: WEB })
    const tunnel = await closers.connect(pair.dialed)
    await tunnel.say('GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n').hears('open')
    pair.service('grpc', streams, { rbac: WEB })
    const session = await closers.session(pair.dialed)
    const call = session.request({ ':path': '/t.T/Watch', ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' })
    await new Promise((resolve) => call.once('data', resolve))
    const ended = new Promise<string>((resolve) => call.on('error', () => resolve('reset')).on('close', () => resolve('closed')))
    const started = performance.now()
    pair.serve('http', sockets, { rbac: OTHERS })
    pair.serve('grpc', streams, { rbac: OTHERS })
    await tunnel.closed(REVOKED_MS + 2_000)
    await ended
    expect(performance.now() - started).toBeLessThan(REVOKED_MS + 2_000)
  })
})

describe('strict, switched on', () => {
  it('ends connections of bytes in plain text at once', async () => {
    const app = await echo()
    pair.serve('tcp', app, { mode: 'permissive', detectTimeoutMs: 100 })
    pair.server.inboundTo = app
    const client = await (await closers.connect(pair.plain)).say('x').hears('x')
    pair.serve('tcp', app, { mode: 'strict', detectTimeoutMs: 100 })
    await client.closed(1_000)
    await (await closers.connect(pair.plain)).say('x').closed(1_000)
  })

  it('lets requests in plain text end, and takes no more on kept connections', async () => {
    let finish = (): void => {}
    const app = await web((_, response) => {
      response.write('begun ')
      finish = () => void response.end('ended')
    })
    pair.serve('http', app, { mode: 'permissive' })
    pair.server.inboundTo = app
    const [busy, idle] = [await closers.connect(pair.plain), await closers.connect(pair.plain)]
    idle.say('GET /1 HTTP/1.1\r\nhost: a\r\n\r\n')
    await idle.hears('begun')
    finish()
    await idle.hears('ended')
    busy.say('GET /2 HTTP/1.1\r\nhost: a\r\n\r\n')
    await busy.hears('begun')
    pair.serve('http', app, { mode: 'strict' })
    await idle.closed(1_000)
    finish()
    await busy.hears('ended')
    await busy.closed(1_000)
  })

  it('does not let in who connected before and says something only now', async () => {
    const seen: string[] = []
    const app = await web((path, response) => {
      seen.push(path)
      response.end()
    })
    pair.serve('http', app, { mode: 'permissive' })
    pair.server.inboundTo = app
    const silent = await closers.connect(pair.plain)
    // a way there and back: by now it was accepted, and is waited for
    expect(await ask(pair.plain, { path: '/permitted' })).toMatchObject({ status: 200 })
    pair.serve('http', app, { mode: 'strict' })
    silent.say('GET /late HTTP/1.1\r\nhost: a\r\n\r\n')
    await silent.closed(1_000)
    expect([seen, silent.text]).toEqual([['/permitted'], ''])
  })

  it('goes on with callers of the mesh on the connections that they have', async () => {
    const app = await web((_, response) => response.end('served'))
    const vip = pair.service('http', app, { mode: 'permissive', rbac: WEB })
    expect(await ask(pair.dialed)).toMatchObject({ status: 200 })
    const made = (): number => pair.client.metric('envoy_cluster_upstream_cx_total', vip.address)
    expect(made()).toBe(1)
    pair.serve('http', app, { mode: 'strict', rbac: WEB })
    expect(await ask(pair.dialed)).toMatchObject({ status: 200 })
    expect(made()).toBe(1)
  })
})
