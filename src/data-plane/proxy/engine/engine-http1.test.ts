import { createHash, randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BAD_REQUESTS, BAD_RESPONSES } from '../../../protocols/http1/framing-cases.ts'
import type { ExchangeSummary, UpstreamFailure } from '../contract.ts'
import { talk } from './talk-fixture.ts'
import { miniProxy, type MiniProxy, type MiniProxyOptions } from './engine-fixture.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function backend(handler: RequestListener): Promise<number> {
  const server: Server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** A backend that says what it is told, byte by byte. */
async function rawBackend(onConnection: (socket: Socket) => void): Promise<number> {
  const server: TcpServer = createTcpServer((socket) => {
    socket.on('error', () => {})
    sockets.add(socket)
    onConnection(socket)
  })
  const sockets = new Set<Socket>()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

async function proxy(options: MiniProxyOptions): Promise<MiniProxy> {
  const made = await miniProxy(options)
  closing.push(() => made.close())
  return made
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly trailers: IncomingMessage['trailers']
  readonly body: Buffer
}

function ask(
  port: number,
  options: { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string>; readonly body?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path = '/', headers = {}, body } = options
    const sent = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const SIZES = [0, 1, 100, 16_384, 65_537, 300_000, 3_000_000]

describe('bodies', () => {
  it('come through as they were, of all sizes, both ways, with and without length', async () => {
    const upstreamPort = await backend((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const body = Buffer.concat(chunks)
        const size = Number(request.headers['x-size'])
        const answer = Buffer.alloc(size, 'abcdefghij')
        response.setHeader('x-md5', md5(body))
        if (request.headers['x-chunked'] === undefined) response.setHeader('content-length', size)
        for (let at = 0; at < size; at += 50_000) response.write(answer.subarray(at, at + 50_000))
        response.end()
      })
    })
    const { port } = await proxy({ upstreamPort })
    const wrong: string[] = []
    for (const [i, size] of SIZES.entries()) {
      for (const back of SIZES) {
        for (const chunked of [true, false]) {
          const body = randomBytes(size)
          const headers = {
            'x-size': String(back),
            ...(chunked ? { 'x-chunked': '1', 'transfer-encoding': 'chunked' } : { 'content-length': String(size) }),
          }
          const answer = await ask(port, { method: i % 2 === 0 ? 'POST' : 'PUT', headers, body })
          const same = answer.headers['x-md5'] === md5(body) && md5(answer.body) === md5(Buffer.alloc(back, 'abcdefghij'))
          if (!same || answer.status !== 200) wrong.push(`${size} ${back} ${chunked}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it('are held up by the slowest side, in bounded memory', async () => {
    const size = 40 * 1024 * 1024
    let sent = 0
    const upstreamPort = await backend((_request, response) => {
      response.setHeader('content-length', size)
      const piece = Buffer.alloc(256 * 1024)
      const more = (): void => {
        while (sent < size) {
          sent += piece.length
          if (!response.write(piece)) return void response.once('drain', more)
        }
        response.end()
      }
      more()
    })
    const { port } = await proxy({ upstreamPort })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 300))
    // what kernels and three buffers hold, and not the whole
    expect(sent).toBeLessThan(25 * 1024 * 1024)
    let got = 0
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length
      if (got >= size) socket.destroy()
    })
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(got).toBeGreaterThanOrEqual(size)
  })
})

describe('heads', () => {
  it('lose what is for one connection, and keep the rest', async () => {
    let seen: IncomingMessage['headers'] = {}
    const upstreamPort = await backend((request, response) => {
      seen = request.headers
      response.writeHead(200, { 'x-answer': 'yes', connection: 'keep-alive', 'keep-alive': 'timeout=5' }).end('ok')
    })
    const { port } = await proxy({ upstreamPort })
    const said = await talk(port, 'GET /a?b HTTP/1.1\r\nHost: web:80\r\nX-Mine: 1\r\nX-Keep: 2\r\nConnection: x-mine\r\n\r\n')
    expect(seen).toMatchObject({ host: 'web:80', 'x-keep': '2' })
    expect(seen['x-mine']).toBeUndefined()
    expect(said).toContain('x-answer: yes')
    expect(said.toLowerCase()).not.toContain('timeout=5')
  })

  it('may be changed by layers in both directions', async () => {
    const upstreamPort = await backend((request, response) =>
      response
        .writeHead(200, { a: '1', b: '2' })
        .end(`${request.method} ${request.url} ${request.headers.host} ${String(request.headers['x-new'])}`),
    )
    const { port } = await proxy({
      upstreamPort,
      layer: (inner) => (exchange) => {
        Object.assign(exchange.request, { path: '/other', authority: 'else' })
        exchange.request.headers.set('x-new', 'n')
        exchange.onResponse((head) => {
          head.status = 201
          head.headers.remove('a')
          head.headers.append('c', '3')
        })
        inner(exchange)
      },
    })
    const answer = await ask(port)
    expect([answer.status, answer.body.toString(), answer.headers['a'], answer.headers['c']]).toEqual([
      201,
      'GET /other else n',
      undefined,
      '3',
    ])
  })

  it('of HEAD, 204 and 304 have no body', async () => {
    const upstreamPort = await backend((request, response) =>
      response.writeHead(Number(request.url?.slice(1)), { 'content-length': request.method === 'HEAD' ? 50 : 0 }).end(),
    )
    const { port } = await proxy({ upstreamPort })
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const answer = await ask(port, { method, path: `/${status}` })
      expect([answer.status, answer.body.length]).toEqual([status, 0])
    }
  })

  it('interim answers go on, and who expects 100 gets it', async () => {
    const upstreamPort = await backend((request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' })
      request.resume().on('end', () => response.end('done'))
    })
    const { port } = await proxy({ upstreamPort })
    const said = await talk(port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc')
    expect(said).toContain('HTTP/1.1 100 Continue')
    expect(said).toContain('HTTP/1.1 103')
    expect(said).toContain('done')
  })

  it('HTTP/1.0 clients get bodies without chunks', async () => {
    const upstreamPort = await backend((_request, response) => {
      response.write('a')
      response.end('b')
    })
    const { port } = await proxy({ upstreamPort })
    const said = await talk(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    expect(said).toContain('\r\n\r\nab')
    expect(said).not.toContain('transfer-encoding')
  })

  it('trailers go through', async () => {
    const upstreamPort = await backend((_request, response) => {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('a')
      response.addTrailers({ 'x-sum': '1' })
      response.end()
    })
    const { port } = await proxy({ upstreamPort })
    expect((await ask(port)).trailers).toEqual({ 'x-sum': '1' })
  })
})

describe('connections', () => {
  it('are kept on both sides, pipelined requests answered in order', async () => {
    const clients = new Set<number>()
    const upstreamPort = await backend((request, response) => {
      clients.add(request.socket.remotePort ?? 0)
      setTimeout(() => response.end(request.url), request.url === '/1' ? 30 : 0)
    })
    const { port, endpoint } = await proxy({ upstreamPort })
    const one = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    const said = await talk(port, one('/1') + one('/2') + one('/3'))
    expect(said.match(/\/\d(?=HTTP|$)/g)).toEqual(['/1', '/2', '/3'])
    expect([clients.size, endpoint.connections, endpoint.activeRequests]).toEqual([1, 1, 0])
  })

  it('close when asked to', async () => {
    const upstreamPort = await backend((_request, response) => response.end('x'))
    const { port, served } = await proxy({ upstreamPort })
    const said = await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', { untilMs: 3000 })
    expect(said).toContain('connection: close')
    await vi.waitFor(() => expect(served.size).toBe(0))
  })

  it('drain: the answer under way comes, then the connection goes', async () => {
    const upstreamPort = await backend((_request, response) => void setTimeout(() => response.end('late'), 50))
    const { port, served } = await proxy({ upstreamPort })
    const talking = talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', { untilMs: 3000 })
    await vi.waitFor(() => expect([...served][0]?.activeStreams).toBe(1))
    for (const one of served) one.drain()
    expect(await talking).toContain('late')
  })

  it('drain: an idle client has a second for its next request, and goes with the answer; without one it goes then', async () => {
    const { port, served } = await proxy({ upstreamPort: await backend((_request, response) => response.end('x')) })
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const agent = connect(port, '127.0.0.1')
    let said = ''
    agent.on('data', (chunk: Buffer) => (said += chunk.toString('latin1'))).write(request)
    const silent = talk(port, request, { untilMs: 3_000 })
    await vi.waitFor(() => expect([said !== '', ...[...served].map(({ activeStreams }) => activeStreams)]).toEqual([true, 0, 0]))
    for (let again = 0; again < 3; again++) for (const one of served) one.drain()
    agent.write(request)
    await vi.waitFor(() => expect(agent.readableEnded).toBe(true))
    const told = [said, await silent].map((text) => text.match(/200 OK|connection: close/gi))
    expect(told).toEqual([['200 OK', '200 OK', 'connection: close'], ['200 OK']])
  })

  it('an upstream that closed a kept connection costs nothing: the failure says that nothing was done', async () => {
    let requests = 0
    const upstreamPort = await rawBackend((socket) =>
      socket.on('data', () => {
        requests++
        if (requests === 2) return socket.destroy()
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx')
      }),
    )
    const failures: UpstreamFailure[] = []
    const { port } = await proxy({
      upstreamPort,
      attempt: (exchange, plain) => ({
        ...plain,
        onFailure: (failure) => {
          failures.push(failure)
          exchange.forward({ ...plain })
        },
      }),
    })
    expect((await ask(port)).status).toBe(200)
    expect((await ask(port)).status).toBe(200)
    expect(failures).toMatchObject([{ unprocessed: true }])
  })

  it('WebSocket and the like become tunnels', async () => {
    const upstreamPort = await rawBackend((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello ')
        socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()))
        socket.on('end', () => socket.end())
      })
    })
    const { port } = await proxy({ upstreamPort })
    const said = await new Promise<string>((resolve) => {
      let heard = ''
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'),
      )
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString()
        if (heard.endsWith('hello ')) socket.end('you')
      })
      socket.on('close', () => resolve(heard))
    })
    expect(said).toMatch(/^HTTP\/1.1 101/)
    expect(said).toMatch(/upgrade: echo/)
    expect(said).toMatch(/hello YOU$/)
  })
})

describe('trouble', () => {
  it.each(BAD_REQUESTS)('request refused, nothing of it taken for another: $name', async ({ bytes }) => {
    const seen: string[] = []
    const upstreamPort = await backend((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      request.resume().on('end', () => response.end('ok'))
      request.on('error', () => {})
    })
    const { port } = await proxy({ upstreamPort })
    for (const pieces of [bytes.length + 100, 7]) {
      const said = await talk(port, `${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, { pieces, untilMs: 1500 })
      // a bad chunk comes when the head may have gone on already: then there is no answer but the end
      expect(said === '' || /^HTTP\/1\.1 (?:4|5)\d\d /.test(said)).toBe(true)
    }
    expect(seen).not.toContain('GET /smuggled')
  })

  it.each(BAD_RESPONSES)('response not believed: $name', async ({ bytes }) => {
    const upstreamPort = await rawBackend((socket) => socket.on('data', () => socket.write(bytes, 'latin1')))
    const { port, endpoint } = await proxy({ upstreamPort })
    const said = await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', { untilMs: 300 })
    // a bad chunk comes when the head has gone: the client sees that the answer is not whole
    expect(said === '' || said.startsWith('HTTP/1.1 503') || !said.endsWith('0\r\n\r\n')).toBe(true)
    await vi.waitFor(() => expect(endpoint.connections).toBe(0))
  })

  it('a client that goes takes its request along', async () => {
    const gone = new Promise<void>((resolve) => {
      void rawBackend((socket) => socket.resume().on('close', () => resolve())).then(async (upstreamPort) => {
        const ended: ExchangeSummary[] = []
        const { port } = await proxy({
          upstreamPort,
          layer: (inner) => (exchange) => (exchange.onEnd((summary) => void ended.push(summary)), inner(exchange)),
        })
        await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', { untilMs: 100 })
        await vi.waitFor(() => expect(ended.map(({ flags }) => [...flags])).toEqual([['DC']]))
      })
    })
    await gone
  })

  it('no answer, refused and broken connections become 503', async () => {
    const closed = await rawBackend((socket) => socket.on('data', () => socket.destroy()))
    const { port } = await proxy({ upstreamPort: closed })
    expect((await ask(port)).status).toBe(503)
    const nobody = await proxy({ upstreamPort: 1 })
    expect((await ask(nobody.port)).status).toBe(503)
  })

  it('an answer that breaks off is not made whole', async () => {
    const upstreamPort = await rawBackend((socket) =>
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', () => socket.destroy())),
    )
    const { port } = await proxy({ upstreamPort })
    await expect(ask(port)).rejects.toThrow()
  })

  it('a head that comes drop by drop has until its time is over', async () => {
    const upstreamPort = await backend((_request, response) => response.end())
    const { port } = await proxy({ upstreamPort, serve: { headTimeoutMs: 100 } })
    const said = await talk(port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(2000)}`, { pieces: 1, untilMs: 3000 })
    expect(said).toContain('HTTP/1.1 408')
  })

  it.each([
    ['response', 504, 'UT'],
    ['idle', 504, 'SI'],
    ['maxDuration', 504, 'UMSDR'],
  ] as const)('timeout of kind %s', async (kind, status, flag) => {
    const upstreamPort = await rawBackend(() => {})
    const ended: ExchangeSummary[] = []
    const { port } = await proxy({
      upstreamPort,
      layer: (inner) => (exchange) => {
        exchange.setTimeout(kind, 60)
        exchange.onEnd((summary) => void ended.push(summary))
        inner(exchange)
      },
    })
    expect((await ask(port)).status).toBe(status)
    expect(ended.map(({ flags }) => [...flags])).toEqual([[flag]])
  })

  it('a try that takes too long can be followed by another, with the same body', async () => {
    let tries = 0
    const bodies: string[] = []
    const upstreamPort = await backend((request, response) => {
      const mine = ++tries
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        bodies.push(body)
        if (mine > 1) response.end('second')
      })
    })
    const { port } = await proxy({
      upstreamPort,
      layer: (inner) => (exchange) => {
        exchange.replayLimitBytes = 1000
        inner(exchange)
      },
      attempt: (exchange, plain) => ({
        ...plain,
        perTryTimeoutMs: 80,
        onFailure: () => {
          expect(exchange.isReplayable).toBe(true)
          exchange.forward(plain)
        },
      }),
    })
    const answer = await ask(port, { method: 'POST', body: Buffer.from('once more'), headers: { 'content-length': '9' } })
    expect([answer.body.toString(), bodies]).toEqual(['second', ['once more', 'once more']])
  })

  it('bodies can be looked at whole, changed, and slowed down', async () => {
    const upstreamPort = await backend((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => response.end(body))
    })
    let seen = ''
    const upper = { write: (chunk: Uint8Array) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()), end: () => Buffer.from('!') }
    const { port } = await proxy({
      upstreamPort,
      layer: (inner) => (exchange) => {
        exchange.transformResponseBody(upper)
        exchange.limitResponseRate(100)
        exchange.bufferRequestBody(100, (body) => {
          seen = Buffer.from(body ?? []).toString()
          inner(exchange)
        })
      },
    })
    const started = performance.now()
    const answer = await ask(port, { method: 'POST', body: Buffer.from('hello'), headers: { 'transfer-encoding': 'chunked' } })
    expect([answer.body.toString(), seen]).toEqual(['HELLO!', 'hello'])
    expect(performance.now() - started).toBeLessThan(5000)
  })
})
