import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import type { Downstream } from '../src/data-plane/proxy/contract.ts'
import { HttpExchange } from '../src/data-plane/proxy/engine/exchange.ts'
import { serveHttp1 } from '../src/data-plane/proxy/engine/http1/serve-http1.ts'
import { serveHttp2 } from '../src/data-plane/proxy/engine/http2/index.ts'
import { openEndpoint } from '../src/data-plane/proxy/engine/open-endpoint.ts'
import { TimerWheel } from '../src/data-plane/proxy/engine/timer-wheel.ts'
import { netConnection } from './http2-proxy/net-connection.ts'

type Version = 'http1' | 'http2'
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

describe('every version to every version', () => {
  const open: (() => void)[] = []
  afterEach(() => {
    for (const close of open.splice(0)) close()
  })

  const listen = async (server: net.Server | http.Server | http2.Http2Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    open.push(() => server.close())
    return (server.address() as AddressInfo).port
  }
  const startProxy = (from: Version, to: Version, upstreamPort: number): Promise<number> => {
    const wheel = new TimerWheel(systemClock)
    const admit = {
      connectionOpening: () => true,
      connectionClosed: () => undefined,
      requestPending: () => true,
      requestNoLongerPending: () => undefined,
    }
    const address = { address: '127.0.0.1', port: upstreamPort }
    const endpoint = openEndpoint(
      { address, protocol: to, connectTimeoutMs: 1000, idleTimeoutMs: 10_000, admit },
      { clock: systemClock, wheel },
    )
    open.push(() => endpoint.destroy())
    const server = net.createServer((socket) => {
      const connection = netConnection(socket)
      const downstream: Downstream = {
        remote: connection.remote,
        local: connection.local,
        protocol: from,
        drain: () => served.drain(),
        destroy: () => served.destroy(),
      }
      const serve = from === 'http1' ? serveHttp1 : serveHttp2
      const served: { drain(): void; destroy(): void } = serve(connection, { clock: systemClock, wheel }, (stream, head) => {
        const exchange = new HttpExchange(stream, head, { connection: downstream, wheel })
        exchange.forward({
          endpoint,
          perTryTimeoutMs: 0,
          onHead: () => 'send',
          onFailure: ({ message }) => exchange.respond({ status: 503, details: message }),
          onDone: () => undefined,
        })
        return exchange
      })
      open.push(() => served.destroy())
    })
    return listen(server)
  }
  const startUpstream = (version: Version): Promise<number> => {
    const answer = (
      request: http.IncomingMessage | http2.Http2ServerRequest,
      response: http.ServerResponse | http2.Http2ServerResponse,
    ): void => {
      response.setHeader('x-host', String(request.headers[':authority'] ?? request.headers.host))
      response.setHeader('x-method', String(request.method))
      request.pipe(response as NodeJS.WritableStream)
    }
    return listen(version === 'http1' ? http.createServer(answer) : http2.createServer(answer))
  }
  const post = async (version: Version, port: number, body: Buffer): Promise<{ host: unknown; body: Buffer }> => {
    const chunks: Buffer[] = []
    if (version === 'http1') {
      return new Promise((resolve, reject) => {
        const request = http.request(
          { port, host: '127.0.0.1', method: 'POST', path: '/a?b', headers: { host: 'shop.test' } },
          (response) => {
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('end', () => resolve({ host: response.headers['x-host'], body: Buffer.concat(chunks) }))
          },
        )
        request.on('error', reject)
        request.end(body)
      })
    }
    const client = http2.connect(`http://127.0.0.1:${port}`)
    try {
      const stream = client.request({ ':method': 'POST', ':path': '/a?b', ':authority': 'shop.test' })
      let host: unknown
      stream.on('response', (headers) => (host = headers['x-host']))
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.end(body)
      await new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
      return { host, body: Buffer.concat(chunks) }
    } finally {
      client.destroy()
    }
  }

  test.each<[Version, Version]>([
    ['http1', 'http2'],
    ['http2', 'http1'],
    ['http2', 'http2'],
    ['http1', 'http1'],
  ])('%s to %s: bodies of all sizes come back, the host stays', async (from, to) => {
    const port = await startProxy(from, to, await startUpstream(to))
    for (const size of [0, 1, 16_384, 65_536, 1_000_000]) {
      const body = randomBytes(size)
      const answer = await post(from, port, body)
      expect(md5(answer.body)).toBe(md5(body))
      expect(answer.host).toBe('shop.test')
    }
  })
})
