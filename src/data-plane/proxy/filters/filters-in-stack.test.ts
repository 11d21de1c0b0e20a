import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js'
import { request as httpRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { ForwardAction, HttpFilter } from '../../../policy/traffic/model/index.ts'
import { decodeJson, encodeJson, Transcoder } from '../../../protocols/grpc-json/index.ts'
import { descriptorSet } from '../../../protocols/grpc-json/grpc-json-fixture.ts'
import { openEndpoint, serveHttp, type ServedHttp } from '../engine/index.ts'
import { ClientFixture, textOf } from '../internal-client/client-fixture.ts'
import { buildHttpStack } from '../layers/index.ts'
import { listen, type Acceptor } from '../transport/accept.ts'
import { dial } from '../transport/dial.ts'
import { createFilterLayers, type FilterLayers } from './index.ts'

const { schema } = new Transcoder(descriptorSet())
const grpcJson: HttpFilter = { type: 'grpcJson', name: 'json', descriptors: Buffer.from(descriptorSet()).toString('base64'), services: [] }

let fixture: ClientFixture
let filters: FilterLayers
let acceptor: Acceptor | undefined
let server: Server
const served = new Set<ServedHttp>()
beforeEach(() => {
  fixture = new ClientFixture()
  const { wheel, clusters } = fixture
  filters = createFilterLayers({
    clusters: () => clusters,
    wheel,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    openEndpoint: (options) => openEndpoint(options, { clock: systemClock, wheel }),
    dial,
    service: 'web',
    post: () => Promise.resolve(),
  })
  server = new Server()
})
afterEach(async () => {
  for (const one of served) one.destroy()
  await acceptor?.close()
  server.forceShutdown()
  await filters.close()
  fixture.close()
})

/** A proxy with all of its layers. */
async function proxy(own: readonly HttpFilter[], action: Partial<ForwardAction> = {}): Promise<number> {
  const manager = { statPrefix: 'test', routes: 'r', filters: own, timeouts: {}, accessLogs: [], appendForwardedFor: false }
  const forward: ForwardAction = { type: 'forward', clusters: [{ cluster: 'app', weight: 1 }], ...action }
  const routes = { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [{ name: 'all', match: {}, action: forward }] }] }
  const { clusters, metrics, wheel } = fixture
  const service = buildHttpStack(manager, routes, {
    ...filters,
    direction: 'inbound',
    clusters,
    metrics,
    clock: systemClock,
    random: Math.random,
    makeId: () => 'id',
    identity: () => undefined,
    accessLoggers: [],
  })
  acceptor = await listen({ host: '127.0.0.1', port: 0 }, (accepted) => {
    const one: ServedHttp = serveHttp(
      accepted.plain(),
      { protocol: 'http1', clock: systemClock, wheel, onClose: () => served.delete(one) },
      service,
    )
    served.add(one)
  })
  return acceptor.port
}

/** The library, by grpc-js. */
async function library(handlers: { readonly [method: string]: (request: unknown) => unknown }): Promise<number> {
  const raw = (bytes: Buffer): Buffer => bytes
  for (const { path, input, output, serverStreaming } of schema.methods) {
    const name = path.slice('/shop.v1.Library/'.length)
    const handle = handlers[name]
    if (!handle) continue
    const answer = (request: Buffer): unknown => handle(decodeJson(schema, input, request))
    server.addService(
      {
        [name]: {
          path,
          requestStream: false,
          responseStream: serverStreaming,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        [name]: serverStreaming
          ? (call: ServerWritableStream<Buffer, Buffer>) => {
              for (const one of answer(call.request) as object[]) call.write(encodeJson(schema, output, one as never))
              call.end()
            }
          : (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
              const value = answer(call.request)
              if (typeof value === 'number') done({ code: value, details: 'no' })
              else done(null, encodeJson(schema, output, value as never))
            },
      },
    )
  }
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port))),
  )
}

function send(
  port: number,
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number | undefined; text: string; headers: object }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method, path, headers: { 'content-type': 'application/json' } }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode, text, headers: response.headers }), reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

describe('filters in a whole stack', () => {
  it('transcodes calls of a gRPC server, tries them again and mirrors them', async () => {
    let failures = 1
    const port = await library({
      AddBook: (book) => (failures-- > 0 ? status.UNAVAILABLE : book),
      ListBooks: () => ({ books: [{ name: 'a' }, { name: 'b', readAt: '2030-01-01T00:00:00.5Z' }] }),
      WatchBooks: () => [{ name: 'a' }, { name: 'b' }],
    })
    const copies: unknown[] = []
    const shadow = await fixture.grpc((path, [message = Buffer.alloc(0)]) => {
      copies.push([path, message.toString('hex')])
      return [message]
    })
    fixture.cluster('app', [port], { protocol: 'mirror' }).cluster('shadow', [shadow], { protocol: 'http2' })
    const at = await proxy([grpcJson], {
      retry: { on: ['5xx'], attempts: 2, backOff: { baseMs: 1, maxMs: 5 } },
      mirrors: [{ cluster: 'shadow', percentage: 100 }],
    })
    expect(await send(at, 'POST', '/v1/books', '{"name": "a"}')).toMatchObject({ status: 200, text: '{"name":"a"}' })
    expect(failures).toBe(-1)
    await vi.waitFor(() => expect(copies).toEqual([['/shop.v1.Library/AddBook', '0a0161']]))
    expect((await send(at, 'GET', '/v1/books')).text).toBe('[{"name":"a"},{"name":"b","readAt":"2030-01-01T00:00:00.500Z"}]')
    expect((await send(at, 'GET', '/v1/books:watch')).text).toBe('[{"name":"a"},{"name":"b"}]')
    expect((await send(at, 'GET', '/v1/any/x')).status).toBe(501)
    const app = fixture.clusters.get('app')
    expect([app?.circuit.requests, app?.hosts[0]?.active]).toEqual([0, 0])
  })

  it('answers with HTTP where there is no server', async () => {
    fixture.cluster('app', [1], { protocol: 'http2' })
    expect((await send(await proxy([grpcJson]), 'GET', '/v1/books')).status).toBe(503)
  })

  it('asks an authority first, and shows it the body as the client sent it', async () => {
    const asked: string[] = []
    const authority = await fixture.http((request, response) => {
      void textOf(request).then((text) => {
        asked.push(`${request.method} ${request.url} ${text}`)
        response.writeHead(text.includes('evil') ? 403 : 200).end()
      })
    })
    const port = await library({ AddBook: (book) => book })
    fixture.cluster('app', [port], { protocol: 'http2' }).cluster('authority', [authority])
    const judge: HttpFilter = { type: 'extAuthz', name: 'a', protocol: 'http', cluster: 'authority', timeoutMs: 2_000, maxBodyBytes: 1_000 }
    const at = await proxy([judge, grpcJson])
    expect((await send(at, 'POST', '/v1/books', '{"name": "a"}')).text).toBe('{"name":"a"}')
    expect((await send(at, 'POST', '/v1/books', '{"name": "evil"}')).status).toBe(403)
    expect(asked).toEqual(['POST /v1/books {"name": "a"}', 'POST /v1/books {"name": "evil"}'])
  })

  it('leaves nothing behind when a client goes while others are asked', async () => {
    const came = vi.fn<() => void>()
    fixture.cluster('app', [1]).cluster('authority', [await fixture.http(() => came())])
    const at = await proxy([{ type: 'extAuthz', name: 'a', protocol: 'http', cluster: 'authority', timeoutMs: 60_000 }])
    const request = httpRequest({ port: at, host: '127.0.0.1' })
    request.on('error', () => {})
    request.end()
    await vi.waitFor(() => expect(came).toHaveBeenCalled())
    request.destroy()
    await vi.waitFor(() => expect(fixture.clusters.get('authority')?.circuit.requests).toBe(0))
    expect(fixture.clusters.get('app')?.circuit.requests).toBe(0)
  })
})
