import { generateKeyPairSync } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { createSecureContext } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRequest, encodePem } from '../../../protocols/x509/index.ts'
import type { ClientTls, UpstreamAdmission } from '../contract.ts'
import { testAuthority } from '../identity/identity-fixture.ts'
import { miniProxy, type MiniProxy, type MiniProxyOptions } from './engine-fixture.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function listening(server: Server | HttpsServer | Http2SecureServer, port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()))
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

async function proxy(options: MiniProxyOptions): Promise<MiniProxy> {
  const made = await miniProxy(options)
  closing.push(() => made.close())
  return made
}

function ask(port: number, body?: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: '127.0.0.1', agent: false, method: body === undefined ? 'GET' : 'POST' }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Counts what is admitted and not given back. */
class Counter implements UpstreamAdmission {
  open = 0
  pending = 0
  connectionOpening(): boolean {
    this.open++
    return true
  }
  connectionClosed(): void {
    this.open--
  }
  requestPending(): boolean {
    this.pending++
    return true
  }
  requestNoLongerPending(): void {
    this.pending--
  }
}

describe('a try', () => {
  it('is done last: a failure is told before', async () => {
    const said: string[] = []
    const { port } = await proxy({
      upstreamPort: 1,
      attempt: (_, plain) => ({
        ...plain,
        onFailure(failure) {
          said.push(failure.kind)
          plain.onFailure(failure)
        },
        onDone: ({ ok }) => void said.push(`done ${ok}`),
      }),
    })
    expect((await ask(port)).status).toBe(503)
    expect(said).toEqual(['connect', 'done false'])
  })
})

describe('an endpoint that is given up', () => {
  it('still carries out what waits for a connection', async () => {
    const upstreamPort = await listening(
      createServer((socket) => void socket.resume().end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nserved')),
    )
    const admit = new Counter()
    const made: MiniProxy = await proxy({
      upstreamPort,
      admit,
      attempt: (_, plain) => {
        queueMicrotask(() => made.endpoint.drain())
        return plain
      },
    })
    expect(await ask(made.port)).toEqual({ status: 200, body: 'served' })
    expect(admit.pending).toBe(0)
  })
})

describe('a server that says by ALPN what it speaks', () => {
  let pem: { readonly cert: string; readonly key: string }
  let tls: () => ClientTls
  beforeAll(() => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const csr = encodePem('CERTIFICATE REQUEST', createRequest({ subject: { commonName: '' } }, keys))
    const now = Date.now()
    const cert = testAuthority(now).sign(csr, { uris: ['spiffe://a/b'], notBefore: now - 60_000, notAfter: now + 600_000 })
    pem = { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    const context = createSecureContext()
    tls = () => ({ alpn: ['h2', 'http/1.1'], context, verify() {}, verifyChain: false })
  })

  const http2 = (): Http2SecureServer =>
    createSecureServer({ ...pem }, (request, response) => void request.pipe(response.writeHead(200, { 'x-version': request.httpVersion })))
  const http1 = (): HttpsServer =>
    createHttpsServer({ ...pem, ALPNProtocols: ['http/1.1'] }, (request, response) => void request.pipe(response.writeHead(200)))

  it.each([
    ['HTTP/2', http2],
    ['HTTP/1.1', http1],
  ])('is spoken to in %s', async (_, serve) => {
    const server = serve()
    const connections = new Set<unknown>()
    server.on('secureConnection', (socket) => connections.add(socket))
    const admit = new Counter()
    const { port, endpoint } = await proxy({ upstreamPort: await listening(server), upstream: 'alpn', tls, admit })
    expect(await ask(port, 'first')).toEqual({ status: 200, body: 'first' })
    expect(await ask(port, 'second')).toEqual({ status: 200, body: 'second' })
    expect([connections.size, endpoint.connections, endpoint.activeRequests, admit.open, admit.pending]).toEqual([1, 1, 0, 1, 0])
    endpoint.destroy()
  })

  it('takes many requests that came before it was known', async () => {
    const admit = new Counter()
    const { port, endpoint } = await proxy({ upstreamPort: await listening(http2()), upstream: 'alpn', tls, admit })
    const bodies = Array.from({ length: 20 }, (_, i) => `request ${i}`)
    const answers = await Promise.all(bodies.map((body) => ask(port, body)))
    expect(answers.map(({ body }) => body)).toEqual(bodies)
    expect([endpoint.connections, admit.open, admit.pending]).toEqual([1, 1, 0])
    endpoint.destroy()
  })

  it('may be replaced by one that speaks something else', async () => {
    const first = createSecureServer({ ...pem }, (_, response) => response.end('two'))
    let end = (): void => {}
    first.on('session', (session) => (end = () => session.destroy()))
    const upstreamPort = await listening(first)
    const { port, endpoint } = await proxy({
      upstreamPort,
      upstream: 'alpn',
      tls,
      attempt: (exchange, plain) => ({ ...plain, onFailure: () => exchange.forward(plain) }),
    })
    expect(await ask(port)).toEqual({ status: 200, body: 'two' })
    end()
    await closing.shift()?.()
    await listening(
      createHttpsServer({ ...pem, ALPNProtocols: ['http/1.1'] }, (_, response) => response.end('one')),
      upstreamPort,
    )
    expect(await ask(port)).toEqual({ status: 200, body: 'one' })
    expect(endpoint.connections).toBe(1)
    endpoint.destroy()
  })

  it('that cannot be reached fails every request that waits, and is asked again', async () => {
    const admit = new Counter()
    const { port } = await proxy({ upstreamPort: 1, upstream: 'alpn', tls, admit })
    expect(await Promise.all([ask(port), ask(port), ask(port)])).toMatchObject([{ status: 503 }, { status: 503 }, { status: 503 }])
    expect([admit.open, admit.pending]).toEqual([0, 0])
  })
})
