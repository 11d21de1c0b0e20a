import { createHash } from 'node:crypto'
import { createServer, request as httpRequest } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { poisonReads } from '../src/data-plane/proxy/transport/raw/index.ts'
import type { TransportName } from '../src/data-plane/proxy/transport/index.ts'
import type { SocketAddress } from '../src/policy/traffic/model/index.ts'
import { Closers, ask, askHttp2, Peer } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { allowed, cluster, endpoints, outbound, tcpTo } from './proxy-support/resources.ts'
import { spiffeId } from './proxy-support/sidecar.ts'

const NETS = { raw: 1, sockets: 2 } as const
const digest = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytesOf = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff))

beforeAll(() => poisonReads(true))
afterAll(() => poisonReads(false))

describe.each<TransportName>(['raw', 'sockets'])('through two sidecars, transport %s', (name) => {
  let pair: Pair
  let closers: Closers
  beforeAll(async () => {
    pair = await new Pair(NETS[name], name).start()
  })
  afterAll(() => pair.close())
  beforeEach(() => {
    closers = new Closers()
  })
  afterEach(() => closers.run())

  const echoHttp = (): ReturnType<Closers['http']> =>
    closers.http(pair.server.address, (incoming, response) => {
      response.writeHead(200, { 'x-client': incoming.headers['x-forwarded-client-cert'] ?? 'nobody', 'x-path': incoming.url ?? '' })
      incoming.pipe(response)
    })

  it('HTTP/1.1: bodies of all kinds, and the application is told who asks', async () => {
    pair.service('http', await echoHttp(), { rbac: allowed(spiffeId('web')) })
    for (const body of ['', 'hello', bytesOf(300_000)]) {
      const answer = await ask(pair.dialed, {
        path: '/a?b=c',
        method: 'POST',
        body,
        headers: { 'x-forwarded-client-cert': 'URI=spiffe://liar' },
      })
      expect([answer.status, digest(Buffer.from(answer.body, 'latin1')), answer.headers['x-path']]).toEqual([200, digest(body), '/a?b=c'])
      expect(answer.headers['x-client']).toContain(`URI=${spiffeId('web')}`)
      expect(answer.headers['x-client']).not.toContain('liar')
    }
  })

  it('HTTP/2: many requests at once, with trailers', async () => {
    const app = await closers.http2(pair.server.address, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-path': headers[':path'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'done' }))
      stream.pipe(stream)
    })
    pair.service('http2', app)
    const session = await closers.session(pair.dialed)
    const bodies = Array.from({ length: 50 }, (_, i) => bytesOf(i * 997))
    const answers = await Promise.all(bodies.map((body, i) => askHttp2(session, { path: `/${i}`, method: 'POST', body })))
    expect(answers.map(({ body }) => digest(Buffer.from(body, 'latin1')))).toEqual(bodies.map(digest))
    expect(answers.map(({ headers, trailers }) => [headers['x-path'], trailers['x-sum']])).toEqual(bodies.map((_, i) => [`/${i}`, 'done']))
  })

  it('gRPC: unary calls, streams both ways, and statuses', async () => {
    const raw = (bytes: Buffer): Buffer => bytes
    const method = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw }
    const server = new Server()
    server.addService(
      {
        Say: { ...method, path: '/t.T/Say', requestStream: false, responseStream: false },
        Talk: { ...method, path: '/t.T/Talk', requestStream: true, responseStream: true },
      },
      {
        Say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
          call.request.length === 0 ? done({ code: status.INVALID_ARGUMENT, details: 'nothing was said' }) : done(null, call.request),
        Talk: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (message: Buffer) => call.write(Buffer.from(message.toString().toUpperCase())))
          call.on('end', () => call.end())
        },
      },
    )
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`${pair.server.address}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
    closers.add(server, () => server.forceShutdown())
    pair.service('grpc', { address: pair.server.address, port })
    const client = closers.add(new Client(`${pair.dialed.address}:${pair.dialed.port}`, credentials.createInsecure()), (one) => one.close())
    const say = (message: Buffer): Promise<Buffer | undefined> =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest('/t.T/Say', raw, raw, message, (error, answer) => (error ? reject(error) : resolve(answer))),
      )
    const long = bytesOf(200_000)
    expect(digest((await say(long)) ?? '')).toBe(digest(long))
    await expect(say(Buffer.alloc(0))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: 'nothing was said' })
    const heard: string[] = []
    const talk = client.makeBidiStreamRequest('/t.T/Talk', raw, raw)
    const ended = new Promise<{ code: number }>((resolve) => talk.on('status', resolve))
    talk.on('data', (message: Buffer) => {
      heard.push(message.toString())
      if (heard.length < 3) talk.write(Buffer.from(`word ${heard.length}`))
      else talk.end()
    })
    talk.write(Buffer.from('word 0'))
    expect([(await ended).code, heard]).toEqual([status.OK, ['WORD 0', 'WORD 1', 'WORD 2']])
  })

  it('WebSocket: the upgrade, frames both ways, and the end', async () => {
    const server = createServer()
    server.on('upgrade', (incoming, socket: Socket) => {
      const key = incoming.headers['sec-websocket-key'] ?? ''
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
      )
      socket.pipe(socket)
    })
    pair.service('http', await closers.serve(server, pair.server.address))
    // the example of RFC 6455 section 1.3
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    const sent = httpRequest({ host: pair.dialed.address, port: pair.dialed.port, path: '/chat', headers })
    const [accept, socket] = await new Promise<[string | undefined, Socket]>((resolve, reject) => {
      sent.on('error', reject)
      sent.on('response', ({ statusCode }) => reject(new Error(`status ${statusCode}`)))
      sent.on('upgrade', (answer, upgraded: Socket) => resolve([answer.headers['sec-websocket-accept'] as string | undefined, upgraded]))
      sent.end()
    })
    expect(accept).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    const client = new Peer(closers.add(socket, (one) => one.destroy()))
    const frames = bytesOf(100_000)
    client.say('first')
    await client.hears('first')
    client.say(frames)
    await client.until(({ heard }) => heard.length === 5 + frames.length)
    expect(digest(client.heard.subarray(5))).toBe(digest(frames))
    client.socket.end()
    await client.closed()
  })

  it('TCP: bytes both ways, and the end of one direction is not that of the other', async () => {
    const app = await closers.tcp(pair.server.address, (socket) => {
      const heard = createHash('sha256')
      socket.on('data', (chunk: Buffer) => heard.update(chunk))
      socket.on('end', () => socket.end(`heard ${heard.digest('hex')}`))
    })
    pair.service('tcp', app, { rbac: allowed(spiffeId('web')) })
    const sent = bytesOf(2_000_000)
    const client = await closers.connect(pair.dialed)
    client.socket.end(sent)
    await client.closed()
    expect(client.text).toBe(`heard ${digest(sent)}`)
  })

  it('TLS of the application goes through untouched, inside TLS of the mesh', async () => {
    const own = pair.mesh.pem('spiffe://mesh.test/app')
    const server = createTlsServer({ ...own, ALPNProtocols: ['own'] }, (socket) => {
      socket.on('error', () => {})
      socket.end(`${socket.servername} ${socket.alpnProtocol}`)
    })
    pair.service('tls', await closers.serve(server, pair.server.address))
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = connectTls({
        host: pair.dialed.address,
        port: pair.dialed.port,
        servername: 'db.example',
        ALPNProtocols: ['own'],
        rejectUnauthorized: false,
      })
      closers.add(socket, () => socket.destroy())
      let text = ''
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('error', reject)
      socket.on('end', () => resolve(`${text} ${socket.getPeerX509Certificate()?.subjectAltName}`))
    })
    expect(heard).toBe('db.example own URI:spiffe://mesh.test/app')
  })

  const greeting = (): ReturnType<Closers['tcp']> =>
    closers.tcp(pair.server.address, (socket) => {
      socket.write('\x4a\0\0\0\x0a8.0.36-greeting')
      socket.on('data', (chunk: Buffer) => socket.end(`you said ${chunk.toString()}`))
    })

  it.each(['tcp', 'auto'] as const)('a server that speaks first is heard on ports of %s', async (protocol) => {
    const detectTimeoutMs = 300
    pair.service(protocol, await greeting(), { detectTimeoutMs, outbound: { detectTimeoutMs }, rbac: allowed(spiffeId('web')) })
    const started = performance.now()
    const client = await (await closers.connect(pair.dialed)).hears('8.0.36-greeting')
    const tookMs = performance.now() - started
    // where it is to be found out, only the time tells that the client waits
    if (protocol === 'tcp') expect(tookMs).toBeLessThan(250)
    else expect(tookMs).toBeGreaterThan(250)
    await client.say('select 1').hears('you said select 1')
    await client.closed()
  })

  it('a port that is found out takes HTTP/1.1, HTTP/2 and anything else', async () => {
    const http1 = await echoHttp()
    pair.service('auto', http1)
    expect(await ask(pair.dialed, { path: '/one', body: 'one' })).toMatchObject({ status: 200, body: 'one', headers: { 'x-path': '/one' } })
    const http2 = await closers.http2(pair.server.address, (stream) => {
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    })
    pair.service('auto', http2)
    expect(await askHttp2(await closers.session(pair.dialed), { body: 'two' })).toMatchObject({ status: 200, body: 'two' })
    pair.service('auto', await closers.tcp(pair.server.address, (socket) => void socket.pipe(socket)))
    const client = await closers.connect(pair.dialed)
    await client.say('PING\r\n').hears('PING\r\n')
    await client.say('GET / HTTP/1.1\r\n').hears('GET / HTTP/1.1\r\n')
  })
})

describe('connections of bytes', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await new Pair(11).start()
  })
  afterAll(() => pair.close())

  const outlierDetection = {
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 30_000,
    maxEjectionPercent: 100,
    splitLocalErrors: true,
    consecutiveLocalFailures: 3,
  }
  const vip = { address: '10.96.11.1', port: 80 }
  /** Lets the client dial endpoints outside of the mesh. */
  function call(addresses: readonly SocketAddress[], maxConnectAttempts: number): void {
    const listener = outbound(vip, 'tcp', 'bytes')
    const chains = listener.chains.map((chain) => ({ ...chain, tcp: tcpTo('bytes', { maxConnectAttempts }) }))
    pair.client.tell({
      listeners: [{ ...listener, chains }],
      clusters: [cluster('bytes', { protocol: 'tcp', outlierDetection })],
      endpoints: [endpoints('bytes', ...addresses.map((address) => ({ address })))],
    })
    pair.client.outboundTo = vip
  }
  const metric = (name: string): number => pair.client.metric(`envoy_cluster_${name}`, 'bytes')

  it('are tried with another endpoint, and one that fails again and again is left out', async () => {
    const app = await pair.closers.tcp(pair.server.address, (socket) => void socket.on('error', () => {}).write('hello'))
    call([app, { address: '127.91.11.9', port: 1 }], 2)
    for (let i = 0; i < 12; i++) await (await pair.closers.connect(pair.dialed)).hears('hello')
    expect([metric('upstream_cx_connect_fail'), metric('outlier_detection_ejections_active')]).toEqual([3, 1])
  })

  it('that fail now and then are no series of failures', async () => {
    const closers = new Closers()
    const serve = (port?: number): Promise<SocketAddress> =>
      closers.serve(
        createTcpServer((socket) => void socket.on('error', () => {}).write('hello')),
        pair.server.address,
        port,
      )
    const app = await serve()
    call([app], 1)
    for (let i = 0; i < 3; i++) {
      await (await closers.connect(pair.dialed)).hears('hello')
      await closers.run()
      for (let failures = 0; failures < 2; failures++) await (await closers.connect(pair.dialed)).closed(2_000)
      await serve(app.port)
    }
    await (await closers.connect(pair.dialed)).hears('hello')
    expect(metric('outlier_detection_ejections_active')).toBe(0)
    await closers.run()
  })
})

describe('over IPv6', () => {
  it('requests and bytes reach a sidecar', async () => {
    const pair = await new Pair(12, 'raw', { server: { address: '::1' } }).start()
    try {
      pair.service('http', await pair.closers.http('::1', (_, response) => response.end('six')), { rbac: allowed(spiffeId('web')) })
      expect(await ask(pair.dialed)).toMatchObject({ status: 200, body: 'six' })
      pair.service('tcp', await pair.closers.tcp('::1', (socket) => void socket.pipe(socket)))
      await (await pair.closers.connect(pair.dialed)).say('six').hears('six')
      const app = await pair.closers.tcp('::1', (socket) => void socket.pipe(socket))
      pair.serve('tcp', app, { mode: 'permissive', detectTimeoutMs: 100 })
      pair.server.inboundTo = app
      await (await pair.closers.connect(pair.plain)).say('plain').hears('plain')
    } finally {
      await pair.close()
    }
  })
})
