import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import type { ExtAuthzFilter } from '../../../policy/traffic/model/index.ts'
import { decode, encode, type Message } from '../../../protocols/xds/index.ts'
import type { ExchangeSummary } from '../contract.ts'
import { miniProxy, type MiniProxy } from '../engine/engine-fixture.ts'
import { ClientFixture, textOf } from '../internal-client/client-fixture.ts'
import { createExtAuthzLayer } from './ext-authz-layer.ts'

let fixture: ClientFixture
let proxy: MiniProxy | undefined
let summaries: ExchangeSummary[]
beforeEach(() => {
  fixture = new ClientFixture()
  summaries = []
})
afterEach(async () => {
  await proxy?.close()
  proxy = undefined
  fixture.close()
})

/** A proxy in front of an application that tells what it got, with the filter before it. */
async function proxyWith(filter: Partial<ExtAuthzFilter>): Promise<MiniProxy> {
  const upstreamPort = await fixture.http((request, response) => {
    void textOf(request).then((body) => response.end(JSON.stringify({ path: request.url, headers: request.headers, body })))
  })
  const whole: ExtAuthzFilter = { type: 'extAuthz', name: 'authz', protocol: 'http', cluster: 'authority', timeoutMs: 1_000, ...filter }
  const layer = createExtAuthzLayer(whole, { client: fixture.client, clock: systemClock })
  proxy = await miniProxy({
    upstreamPort,
    layer: (inner) => (exchange) => {
      exchange.onEnd((summary) => summaries.push({ ...summary, flags: new Set(summary.flags) }))
      layer(inner)(exchange)
    },
  })
  return proxy
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** What the application got. */
  readonly got: { readonly path: string; readonly headers: Record<string, string>; readonly body: string }
}

function send(
  port: number,
  options: {
    readonly method?: string
    readonly path?: string
    readonly headers?: Record<string, string>
    readonly body?: string | Buffer
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path = '/a?b=1', headers = {}, body } = options
    const request = httpRequest({ port, host: '127.0.0.1', method, path, headers: { host: 'shop', ...headers } }, (response) => {
      void textOf(response).then((text) =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text,
          got: (text.startsWith('{') ? JSON.parse(text) : {}) as Answer['got'],
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

describe('external authorization over HTTP', () => {
  it('asks with the request’s head and lets it pass with the headers that it may add', async () => {
    const asked: unknown[] = []
    const port = await fixture.http((request, response) => {
      const { host, authorization, accept, cookie, 'x-a': a, 'content-length': length } = request.headers
      asked.push([request.method, request.url, host, authorization, accept, cookie, a, length])
      response.setHeader('x-user', 'me')
      response.setHeader('x-other', 'not wanted')
      response.setHeader('x-envoy-auth-headers-to-remove', 'x-secret, host')
      response.end('its body goes nowhere')
    })
    fixture.cluster('authority', [port])
    const made = await proxyWith({ pathPrefix: '/check', includeHeaders: ['x-a'], upstreamHeaders: ['x-user'] })
    const headers = { authorization: 'Bearer t', accept: 'text/html', cookie: 'c=1', 'x-a': '1', 'x-user': 'forged', 'x-secret': 's' }
    const { status, got } = await send(made.port, { method: 'POST', headers, body: 'hello' })
    await send(made.port)
    expect(asked).toEqual([
      ['POST', '/check/a?b=1', 'shop', 'Bearer t', undefined, undefined, '1', '0'],
      ['GET', '/check/a?b=1', 'shop', undefined, undefined, undefined, undefined, '0'],
    ])
    expect(status).toBe(200)
    expect(got.headers).toMatchObject({ 'x-user': 'me', accept: 'text/html', host: 'shop' })
    expect([got.body, got.headers['x-other'], got.headers['x-secret']]).toEqual(['hello', undefined, undefined])
  })

  it('gives the client what the authority says when it refuses', async () => {
    const port = await fixture.http((_, response) => {
      response.writeHead(302, { location: '/login', 'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/html' })
      response.end('<a>')
    })
    fixture.cluster('authority', [port])
    const { status, headers, text } = await send((await proxyWith({})).port)
    expect([status, headers.location, headers['set-cookie'], headers['content-type'], headers['content-length'], text]).toEqual([
      302,
      '/login',
      ['a=1', 'b=2'],
      'text/html',
      '3',
      '<a>',
    ])
    expect([summaries[0]?.details, [...(summaries[0]?.flags ?? [])]]).toEqual(['ext_authz_denied', ['UAEX']])
  })

  it.each([
    ['answers 503', async () => fixture.http((_, response) => void response.writeHead(503).end())],
    ['says nothing', async () => fixture.http(() => {})],
    ['is away', () => Promise.resolve(1)],
  ])('refuses when the authority %s, or lets pass where that is asked for', async (_, start) => {
    fixture.cluster('authority', [await start()])
    const closed = await proxyWith({ timeoutMs: 60 })
    expect((await send(closed.port)).status).toBe(403)
    expect([summaries[0]?.details, [...(summaries[0]?.flags ?? [])]]).toEqual(['ext_authz_error', ['UAEX']])
    await closed.close()
    const open = await proxyWith({ timeoutMs: 60, failOpen: true })
    expect(await send(open.port, { method: 'POST', body: 'x' })).toMatchObject({ status: 200, got: { body: 'x' } })
  })

  it.each([
    ['short', 'hello', 'false', 'hello'],
    ['longer than the authority wants to see', 'hello world, '.repeat(20_000), 'true', 'hello worl'],
    ['empty', '', undefined, ''],
  ])('shows the beginning of a body that is %s, and sends all of it on', async (_, body, partial, shown) => {
    const asked: unknown[] = []
    const port = await fixture.http((request, response) => {
      void textOf(request).then((text) => {
        asked.push([request.headers['x-envoy-auth-partial-body'], text, request.headers['content-length']])
        response.end()
      })
    })
    fixture.cluster('authority', [port])
    const made = await proxyWith({ maxBodyBytes: 10 })
    const { got } = await send(made.port, { method: 'POST', body, headers: { 'content-length': String(body.length) } })
    expect(asked).toEqual([[partial, shown, String(shown.length)]])
    expect(got.body === body).toBe(true)
  })

  it('sends a body on that had to wait, also where a pooled connection is ready at once', async () => {
    fixture.cluster('authority', [await fixture.http((_, response) => void response.end())])
    const made = await proxyWith({ maxBodyBytes: 10 })
    for (let i = 0; i < 3; i++) {
      expect((await send(made.port, { method: 'POST', body: 'hello' })).got.body).toBe('hello')
      expect((await send(made.port)).got.body).toBe('')
    }
    expect(made.endpoint.connections).toBe(1)
  })

  it('stops asking for a client that has gone', async () => {
    const came = vi.fn<() => void>()
    const gone = vi.fn<() => void>()
    const port = await fixture.http((request) => {
      came()
      request.socket.on('close', gone)
    })
    fixture.cluster('authority', [port])
    const made = await proxyWith({ timeoutMs: 60_000 })
    const request = httpRequest({ port: made.port, host: '127.0.0.1' })
    request.on('error', () => {})
    request.end()
    await vi.waitFor(() => expect(came).toHaveBeenCalled())
    request.destroy()
    await vi.waitFor(() => expect(gone).toHaveBeenCalled())
    expect(fixture.clusters.get('authority')?.circuit.requests).toBe(0)
  })
})

describe('external authorization over gRPC', () => {
  const CHECK = 'envoy.service.auth.v3'
  async function authority(answer: Message | { readonly code: number }): Promise<Message[]> {
    const asked: Message[] = []
    const port = await fixture.grpc((path, [message = Buffer.alloc(0)]) => {
      asked.push({ path, ...decode(`${CHECK}.CheckRequest`, message) })
      return typeof answer['code'] === 'number' ? { code: answer['code'] } : [encode(`${CHECK}.CheckResponse`, answer)]
    })
    fixture.cluster('authority', [port], { protocol: 'http2' })
    return asked
  }
  const option = (key: string, value: string, append?: boolean) => ({ header: { key, value }, ...(append === undefined ? {} : { append }) })

  it('shows what it knows and does as it is told', async () => {
    const asked = await authority({
      status: { code: 0 },
      ok_response: {
        headers: [option('X-User', 'me'), option('x-list', 'b', true), option('x-none', 'b', true), option('x-bad', 'a\r\nx-evil: 1')],
        headers_to_remove: ['x-secret', 'host'],
        response_headers_to_add: [option('x-added', '1')],
        query_parameters_to_set: [{ key: 'c', value: '2' }],
        query_parameters_to_remove: ['b'],
      },
    })
    const made = await proxyWith({ protocol: 'grpc', maxBodyBytes: 100 })
    const headers = { 'x-user': 'forged', 'x-list': 'a', 'x-secret': 's', 'x-request-id': 'id' }
    const { status, got, ...answer } = await send(made.port, { method: 'POST', headers, body: 'hello' })
    expect(asked).toEqual([
      {
        path: '/envoy.service.auth.v3.Authorization/Check',
        attributes: {
          source: { address: { socket_address: { address: '127.0.0.1', port_value: expect.any(Number) as number } } },
          destination: { address: { socket_address: { address: '127.0.0.1', port_value: made.port } } },
          request: {
            time: expect.stringMatching(/Z$/) as string,
            http: expect.objectContaining({
              id: 'id',
              method: 'POST',
              path: '/a?b=1',
              host: 'shop',
              scheme: 'http',
              protocol: 'HTTP/1.1',
              body: 'hello',
              headers: expect.objectContaining({
                ':method': 'POST',
                ':path': '/a?b=1',
                'x-user': 'forged',
                'x-envoy-auth-partial-body': 'false',
              }) as unknown,
            }) as unknown,
          },
        },
      },
    ])
    expect([status, answer.headers['x-added'], got.path, got.body]).toEqual([200, '1', '/a?c=2', 'hello'])
    expect(got.headers).toMatchObject({ 'x-user': 'me', 'x-list': 'a, b', host: 'shop' })
    expect(['x-none', 'x-secret', 'x-bad', 'x-evil'].filter((name) => name in got.headers)).toEqual([])
  })

  it('shows no more headers than are named, and bytes as bytes', async () => {
    const asked = await authority({ status: { code: 0 } })
    const made = await proxyWith({ protocol: 'grpc', maxBodyBytes: 2, includeHeaders: ['x-a'] })
    await send(made.port, {
      method: 'POST',
      headers: { 'x-a': '1', 'x-b': '2', authorization: 't' },
      body: Buffer.from([0xff, 0xfe, 0xfd]),
    })
    const { http } = (asked[0] as { attributes: { request: { http: { headers: Record<string, string>; raw_body: Uint8Array } } } })
      .attributes.request
    expect(Object.keys(http.headers).toSorted()).toEqual([
      ':authority',
      ':method',
      ':path',
      ':scheme',
      'authorization',
      'x-a',
      'x-envoy-auth-partial-body',
    ])
    expect([...http.raw_body]).toEqual([0xff, 0xfe])
  })

  it.each<[string, Message, number, string]>([
    [
      'with an answer of its own',
      { status: { code: 16 }, denied_response: { status: { code: 'Unauthorized' }, headers: [option('x-why', 'b')], body: 'who?' } },
      401,
      'who?',
    ],
    ['without one', { status: { code: 7 } }, 403, ''],
  ])('refuses %s', async (_, answer, status, text) => {
    await authority(answer)
    const got = await send((await proxyWith({ protocol: 'grpc' })).port)
    expect([got.status, got.text, got.headers['x-why']]).toEqual([status, text, status === 401 ? 'b' : undefined])
    expect(summaries[0]?.details).toBe('ext_authz_denied')
  })

  it('takes an error of the call for no decision', async () => {
    await authority({ code: 13 })
    expect((await send((await proxyWith({ protocol: 'grpc' })).port)).status).toBe(403)
    expect(summaries[0]?.details).toBe('ext_authz_error')
  })
})
