import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GrpcJsonFilter } from '../../../policy/traffic/model/index.ts'
import { grpcFrame } from '../../../protocols/grpc-frames/index.ts'
import { decodeJson, encodeJson, Transcoder, type Json } from '../../../protocols/grpc-json/index.ts'
import { descriptorSet } from '../../../protocols/grpc-json/grpc-json-fixture.ts'
import type { Attempt, Exchange } from '../contract.ts'
import { miniProxy, type MiniProxy, type MiniProxyOptions } from '../engine/engine-fixture.ts'
import { ClientFixture, textOf } from '../internal-client/client-fixture.ts'
import { createGrpcJsonLayer } from './grpc-json-layer.ts'

const { schema } = new Transcoder(descriptorSet())
const filter: GrpcJsonFilter = {
  type: 'grpcJson',
  name: 'json',
  descriptors: Buffer.from(descriptorSet()).toString('base64'),
  services: ['shop.v1.Library'],
}
const book = (value: Json): Buffer => encodeJson(schema, 'shop.v1.Book', value)

let fixture: ClientFixture
const closing: (() => Promise<void>)[] = []
beforeEach(() => {
  fixture = new ClientFixture()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  fixture.close()
})

async function proxy(
  upstreamPort: number,
  options: Partial<MiniProxyOptions> = {},
  more: Partial<GrpcJsonFilter> = {},
): Promise<MiniProxy> {
  const made = await miniProxy({ upstreamPort, upstream: 'http2', layer: createGrpcJsonLayer({ ...filter, ...more }), ...options })
  closing.push(() => made.close())
  return made
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function send(port: number, method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method, path, headers }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode, headers: response.headers, text }), reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

describe('gRPC as JSON', () => {
  it('calls the method that a rule names', async () => {
    const seen: unknown[] = []
    const port = await fixture.grpc((path, [message = Buffer.alloc(0)], headers) => {
      seen.push([
        path,
        decodeJson(schema, 'shop.v1.Book', message),
        headers[':method'],
        headers['content-type'],
        headers['x-a'],
        headers['x-envoy-original-path'],
      ])
      return [message]
    })
    const { port: at } = await proxy(port)
    const value = { name: 'a', title: 'b'.repeat(100_000), pages: '9007199254740993' }
    for (let i = 0; i < 2; i++) {
      const { status, headers, text } = await send(at, 'POST', '/v1/books', JSON.stringify(value), {
        'x-a': '1',
        'content-type': 'application/json',
      })
      expect([status, headers['content-type'], headers['grpc-status'], headers['content-length']]).toEqual([
        200,
        'application/json',
        '0',
        String(text.length),
      ])
      expect(JSON.parse(text)).toEqual(value)
    }
    expect(seen[0]).toEqual(['/shop.v1.Library/AddBook', value, 'POST', 'application/grpc', '1', '/v1/books'])
  })

  it('makes messages of requests that have no body', async () => {
    const port = await fixture.grpc((path, [message = Buffer.alloc(0)]) => [
      book({ name: path, title: JSON.stringify(decodeJson(schema, 'shop.v1.GetBookRequest', message)) }),
    ])
    const { text } = await send((await proxy(port)).port, 'GET', '/v1/shelves/a/books/b?deep=true')
    expect(JSON.parse(text)).toEqual({ name: '/shop.v1.Library/GetBook', title: '{"name":"shelves/a/books/b","deep":true}' })
  })

  it('tells the messages of a stream as a list', async () => {
    let count = 3
    const port = await fixture.grpc(() => Array.from({ length: count }, (_, i) => book({ pages: String(i + 1) })))
    const { port: at } = await proxy(port)
    expect(JSON.parse((await send(at, 'GET', '/v1/books:watch')).text)).toEqual([{ pages: '1' }, { pages: '2' }, { pages: '3' }])
    count = 0
    expect((await send(at, 'GET', '/v1/books:watch')).text).toBe('[]')
  })

  it('tells gRPC’s status as one of HTTP', async () => {
    const port = await fixture.grpc(() => ({ code: 5, message: 'no such é' }))
    const { status, headers, text } = await send((await proxy(port)).port, 'GET', '/v1/books')
    expect([status, headers['content-type'], headers['grpc-status'], headers['grpc-message']]).toEqual([
      404,
      'application/json',
      '5',
      'no such %C3%A9',
    ])
    expect(JSON.parse(text)).toEqual({ code: 5, message: 'no such é' })
  })

  it('breaks a list off that goes wrong in the middle', async () => {
    const port = await fixture.http2((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '13' }))
      stream.end(grpcFrame(book({ name: 'a' })))
    })
    await expect(send((await proxy(port)).port, 'GET', '/v1/books:watch')).rejects.toThrow(/aborted|hang up/)
  })

  it.each([
    ['a body that does not fit', 'POST', '/v1/books', '{"pages": true}', 'pages: is a whole number'],
    ['a body that is no JSON', 'POST', '/v1/books', '{', 'this is no JSON'],
    ['a query that nobody knows', 'GET', '/v1/books?nobody=1', undefined, 'nobody: shop.v1.GetBookRequest has no field'],
  ])('refuses %s', async (_, method, path, body, reason) => {
    const { status, text, headers } = await send((await proxy(1)).port, method, path, body)
    expect([status, headers['content-type']]).toEqual([400, 'application/json'])
    expect(JSON.parse(text)).toEqual({ code: 3, message: expect.stringContaining(reason) as string })
  })

  it('leaves alone what is not meant, or refuses it', async () => {
    const port = await fixture.http2((stream, headers) => {
      stream.respond({ ':status': 200 })
      stream.end(`${headers[':method']} ${headers[':path']} ${headers['content-type']}`)
    })
    const { port: open } = await proxy(port)
    expect((await send(open, 'GET', '/other', undefined, { 'content-type': 'text/css' })).text).toBe('GET /other text/css')
    expect((await send(open, 'POST', '/v1/books', 'x', { 'content-type': 'application/grpc' })).text).toBe(
      'POST /v1/books application/grpc',
    )
    expect((await send((await proxy(port, {}, { passUnknown: false })).port, 'GET', '/other')).status).toBe(404)
  })

  it('gives answers on that are not of gRPC', async () => {
    const port = await fixture.http2((stream) => {
      stream.respond({ ':status': 503, 'content-type': 'text/plain' })
      stream.end('away')
    })
    expect(await send((await proxy(port)).port, 'GET', '/v1/books')).toMatchObject({ status: 503, text: 'away' })
  })

  it.each([
    ['an answer that is no message', [Buffer.from([255])], '503'],
    ['two answers instead of one', [book({}), book({})], '503'],
    ['no answer', [], '503'],
  ])('takes %s for a failure of the upstream', async (_, answer) => {
    const port = await fixture.grpc(() => answer)
    expect(await send((await proxy(port)).port, 'POST', '/v1/books', '{}')).toMatchObject({ status: 503 })
  })

  it('can be tried once more', async () => {
    let asked = 0
    const port = await fixture.grpc((_, [message = Buffer.alloc(0)]) => (asked++ === 0 ? { code: 14 } : [message]))
    const outcomes: unknown[] = []
    const attempt = (exchange: Exchange, plain: Attempt): Attempt => ({
      ...plain,
      onHead(head) {
        if (head.status !== 503) return 'send'
        expect(exchange.isReplayable).toBe(true)
        exchange.forward(attempt(exchange, plain))
        return 'discard'
      },
      onDone: ({ grpcStatus }) => outcomes.push(grpcStatus),
    })
    const { port: at } = await proxy(port, { attempt })
    expect((await send(at, 'POST', '/v1/books', '{"name": "a"}')).text).toBe('{"name":"a"}')
    expect([asked, outcomes]).toEqual([2, [14, 0]])
  })

  it('shows those further in the call of gRPC', async () => {
    const port = await fixture.grpc((_, [message = Buffer.alloc(0)]) => [message])
    const seen: unknown[] = []
    const json = createGrpcJsonLayer(filter)
    const { port: at } = await proxy(port, {
      layer: (inner) =>
        json((exchange) => {
          exchange.observeRequestBody((chunk, ended) => seen.push(Buffer.from(chunk).toString('hex'), ended))
          exchange.bufferRequestBody(100, (body) => seen.push(body?.length))
          exchange.bufferRequestBody(2, (body, start) => seen.push(body, start?.length))
          seen.push(exchange.request.isGrpc, exchange.request.endsWithHead, exchange.request.path, exchange.connection.protocol)
          inner(exchange)
        }),
    })
    expect((await send(at, 'POST', '/v1/books', '{"name": "a"}')).status).toBe(200)
    expect(seen).toEqual(['00000000030a0161', false, '', true, 8, undefined, 2, true, false, '/shop.v1.Library/AddBook', 'http2'])
  })

  it('says at once what is wrong with descriptors', () => {
    expect(() => createGrpcJsonLayer({ ...filter, services: ['no.Such'] })).toThrow('the descriptors have no service no.Such')
  })
})
