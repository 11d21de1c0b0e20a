import { connect as http2Connect, constants, type ClientHttp2Session } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServerRequest, ServerResponse, ServerWatchEvent } from '../src/control-plane/apiserver/contract.ts'
import { ADMIN_TOKEN, NODE_TOKEN, readAll, startFixture, type Fixture } from './apiserver-fixture.ts'

/** Answers by the name of the config map asked for. */
async function resources(request: ServerRequest): Promise<ServerResponse> {
  const { name = '', verb, namespace = '' } = request.info ?? {}
  if (verb === 'watch') return { status: 200, body: { type: 'events', events: ticking(request, namespace) } }
  if (name === 'slow') await delay(300)
  if (name === 'broken') throw new TypeError('secret detail')
  const bytes = request.body instanceof Uint8Array ? request.body.byteLength : 0
  if (name === 'large') {
    const chunks = Array.from({ length: 300 }, (_, i) =>
      Buffer.from(`${i === 0 ? '{"a":"' : ''}${'x'.repeat(1000)}${i === 299 ? '"}' : ''}`),
    )
    return { status: 200, body: { type: 'json', chunks, parse: () => ({}) } }
  }
  return { status: 200, body: { type: 'object', value: { path: request.path, user: request.user, bytes, info: request.info } } }
}

/** One event at once; more, as fast as they are taken, in the namespace `flood`. */
async function* ticking(request: ServerRequest, namespace: string): AsyncGenerator<ServerWatchEvent> {
  yield event(0)
  if (namespace === 'flood')
    for (let i = 1; !request.signal?.aborted; i++) {
      flooded += FLOOD.line.byteLength
      yield FLOOD
    }
  await new Promise((resolve) => {
    if (request.signal?.aborted) resolve(undefined)
    request.signal?.addEventListener('abort', resolve, { once: true })
  })
}

const event = (n: number, size = 0): ServerWatchEvent => {
  const object = { metadata: { name: `e${n}`, annotations: { pad: 'x'.repeat(size) } } }
  return { type: 'ADDED', object, line: Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`) }
}
const FLOOD = event(1, 4000)
/** Bytes that the server has taken from endless watches so far. */
let flooded = 0

const CM = '/api/v1/namespaces/default/configmaps'
const AUTH = `authorization: Bearer ${ADMIN_TOKEN}`

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture(resources, {
    limits: {
      headTimeoutMs: 600,
      bodyTimeoutMs: 700,
      stallTimeoutMs: 1500,
      maxConnectionsPerAddress: 1300,
      resets: { burst: 100, perSecond: 10 },
    },
    inFlight: { maxReadOnly: 3, maxMutating: 2 },
    podsOfNode: () => [],
  })
})
afterAll(() => fixture.close())

/** Sends bytes on a connection of its own and gives what comes back. */
async function raw(bytes: string, quietMs = 1000): Promise<string> {
  const socket = await fixture.open()
  socket.write(bytes, 'latin1')
  const answer = await readAll(socket, quietMs)
  socket.destroy()
  return answer
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: any
}

function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer; tls?: object } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: fixture.port,
        ca: fixture.pki.ca,
        path,
        method: options.method ?? 'GET',
        agent: false,
        headers: options.headers ?? { authorization: `Bearer ${ADMIN_TOKEN}` },
        ...options.tls,
      },
      (response) => {
        const chunks: Buffer[] = []
        response
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () => {
            const text = Buffer.concat(chunks).toString()
            const json = response.headers['content-type']?.includes('json') && !response.headers['content-encoding']
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: json && text ? JSON.parse(text) : text })
          })
      },
    )
    request.on('error', reject)
    request.end(options.body)
  })
}

const alive = async (): Promise<void> => expect((await ask('/livez')).status).toBe(200)

describe('who asks', () => {
  const cert = (name: string, groups: string[], options?: object): { tls: object; headers: Record<string, string> } => ({
    tls: fixture.pki.client(name, groups, options),
    headers: {},
  })

  test('a client certificate gives the user from CN and the groups from O', async () => {
    const { body } = await ask(`${CM}/a`, cert('root', ['system:masters', 'dev']))
    expect(body.user).toEqual({ name: 'root', groups: ['system:masters', 'dev', 'system:authenticated'] })
  })

  test('a certificate of another CA, an expired one and an unknown token are 401 without saying why', async () => {
    for (const options of [
      cert('root', ['system:masters'], { foreign: true }),
      cert('root', ['system:masters'], { days: -1 }),
      { tls: fixture.pki.server, headers: {} },
      { headers: { authorization: 'Bearer nobody' } },
    ]) {
      const answer = await ask('/healthz', options)
      expect(answer.body).toEqual({ ...UNAUTHORIZED })
      expect(answer.status).toBe(401)
    }
  })

  test('without credentials only health and version are open', async () => {
    const open = await Promise.all(['/livez', '/readyz', '/healthz', '/readyz/ping', '/version'].map((path) => ask(path, { headers: {} })))
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const shut = await Promise.all(['/metrics', '/api', `${CM}/a`, '/'].map((path) => ask(path, { headers: {} })))
    expect(shut.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  })

  test('impersonation is for system:masters alone', async () => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'impersonate-user': 'bob', 'impersonate-group': 'dev' }
    const allowed = await ask('/apis/authentication.k8s.io/v1/selfsubjectreviews', { method: 'POST', headers, body: '{}' })
    expect(allowed.body.status.userInfo).toEqual({ username: 'bob', groups: ['dev', 'system:authenticated'] })
    const refused = await ask(`${CM}/a`, { headers: { ...headers, authorization: `Bearer ${NODE_TOKEN}` } })
    expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden' })
  })
})

const UNAUTHORIZED = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'Unauthorized',
  reason: 'Unauthorized',
  code: 401,
}

describe('bad input case 5: large and compressed bodies', () => {
  test('a declared length above 3 MiB is 413 before any byte of it is read', async () => {
    const answer = await raw(`POST ${CM} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\ncontent-length: 3145729\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 413 .*connection: close.*"reason":"RequestEntityTooLarge"/is)
  })

  test('a chunked body is read up to 3 MiB and no further', async () => {
    const socket = await fixture.open()
    const answer = readAll(socket)
    socket.write(`POST ${CM} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\ntransfer-encoding: chunked\r\n\r\n`)
    for (let i = 0; i < 50; i++) socket.write(`10000\r\n${'x'.repeat(65536)}\r\n`)
    expect(await answer).toMatch(/^HTTP\/1.1 413 /)
    socket.destroy()
  })

  test('3 MiB exactly are served; over HTTP/2 one byte more is 413', async () => {
    const body = Buffer.alloc(3 * 1024 * 1024, 'x')
    expect((await ask(CM, { method: 'POST', body })).body.bytes).toBe(body.byteLength)
    const session = await openSession()
    const stream = session.request({ ':method': 'POST', ':path': CM, authorization: `Bearer ${ADMIN_TOKEN}` })
    stream.on('error', () => {})
    stream.write(body)
    stream.end('x')
    expect(await statusOf(stream)).toBe(413)
    session.destroy()
  })

  test('a compressed body is 415, whatever it would unpack to', async () => {
    const body = gzipSync(Buffer.alloc(10_000_000))
    const answer = await ask(CM, { method: 'POST', body, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-encoding': 'gzip' } })
    expect(answer.body).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' })
  })
})

describe('bad input case 12: ambiguous and malformed heads', () => {
  const GET = `GET ${CM}/a HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n`
  const POST = `POST ${CM} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n`
  test.each<[string, string, RegExp]>([
    ['content-length and transfer-encoding', `${POST}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, /400/],
    ['two content-lengths', `${POST}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`, /400/],
    ['the same content-length twice', `${POST}content-length: 3\r\ncontent-length: 3\r\n\r\nabc`, /400/],
    ['xchunked', `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`, /400/],
    ['chunked that is not last', `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`, /400/],
    ['a bare line feed', `${GET.replaceAll('\r\n', '\n')}\n`, /400/],
    ['a folded header', `${GET}x: a\r\n b\r\n\r\n`, /400/],
    ['a space before the colon', `${GET}x : a\r\n\r\n`, /400/],
    ['a NUL in a header', `${GET}x: a\u0000b\r\n\r\n`, /400/],
    ['a negative content-length', `${POST}content-length: -1\r\n\r\n`, /400/],
    ['a content-length with a plus', `${POST}content-length: +3\r\n\r\nabc`, /400/],
    ['a bad chunk size', `${POST}transfer-encoding: chunked\r\n\r\nzz\r\nabc`, /400/],
    ['two hosts', `${GET}host: b\r\n\r\n`, /400/],
    ['no host', `GET ${CM}/a HTTP/1.1\r\n${AUTH}\r\n\r\n`, /400/],
    ['two authorizations', `${GET}authorization: Bearer x\r\n\r\n`, /400/],
    ['an absolute-form target', `GET http://evil${CM}/a HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`, /400/],
    ['an asterisk target', `GET * HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`, /400/],
    ['HTTP/0.9', `GET ${CM}/a\r\n\r\n`, /400/],
    ['chunks in HTTP/1.0', `POST ${CM} HTTP/1.0\r\n${AUTH}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, /400/],
    ['101 headers', `${GET}${Array.from({ length: 99 }, (_, i) => `x${i}: a\r\n`).join('')}\r\n`, /431/],
    ['2,500 headers', `${GET}${Array.from({ length: 2500 }, (_, i) => `x${i}:\r\n`).join('')}\r\n`, /431/],
    ['17 KB of headers', `${GET}x: ${'a'.repeat(17 * 1024)}\r\n\r\n`, /431/],
    ['no HTTP at all', '\u0016\u0003\u0001hello\r\n\r\n', /400/],
    ['TRACE', `TRACE ${CM}/a HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`, /405/],
    ['an upgrade to something unknown', `${GET}connection: upgrade\r\nupgrade: websocket\r\n\r\n`, /400/],
  ])('%s', async (_what, bytes, status) => {
    const socket = await fixture.open()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes, 'latin1')
    const answer = await readAll(socket)
    await closed
    expect(answer.split('\r\n')[0]).toMatch(new RegExp(`^HTTP/1.1 ${status.source} `))
    expect(answer).toContain('"kind":"Status"')
    // never a second answer out of the rest of the bytes
    expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
    await alive()
  })

  test('what is well-formed is answered on the same connection again and again', async () => {
    const answer = await raw(`${GET}\r\n${GET}connection: close\r\n\r\n`)
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(2)
  })
})

describe('bad input case 13: slow and many connections', () => {
  test('a head that trickles in is 408', async () => {
    const socket = await fixture.open()
    const answer = readAll(socket, 3000)
    socket.write('GET /livez HTTP/1.1\r\nhost: a\r\n')
    expect(await answer).toMatch(/^HTTP\/1.1 408 /)
  })

  test('a body that trickles in is 408, over HTTP/1.1 and HTTP/2', async () => {
    const socket = await fixture.open()
    const answer = readAll(socket, 3000)
    socket.write(`POST ${CM} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\ncontent-length: 100\r\n\r\nabc`)
    expect(await answer).toMatch(/^HTTP\/1.1 408 .*"reason":"Timeout"/s)
    const session = await openSession()
    const stream = session.request({ ':method': 'POST', ':path': CM, authorization: `Bearer ${ADMIN_TOKEN}` })
    stream.on('error', () => {})
    stream.write('abc')
    expect(await statusOf(stream)).toBe(408)
    session.destroy()
  })

  test('a connection that says nothing at all is closed', async () => {
    const silent = await fixture.open()
    expect(await readAll(silent, 3000)).toMatch(/^(HTTP\/1.1 408 |$)/)
    const session = await openSession()
    await new Promise((resolve) => session.once('close', resolve))
  })

  test('a watch and an idle connection outlive every deadline', async () => {
    const socket = await fixture.open()
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.write(`GET ${CM}?watch=true HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`)
    await delay(2500)
    expect(text).toContain('"e0"')
    expect(socket.closed).toBe(false)
    socket.destroy()
  })

  test('one address has a bounded number of connections', async () => {
    const small = await startFixture(resources, { limits: { maxConnectionsPerAddress: 3 } })
    const open = await Promise.all([small.open(), small.open(), small.open()])
    await expect(small.open()).rejects.toThrow()
    open[0]?.destroy()
    await delay(50)
    await expect(small.open()).resolves.toBeDefined()
    await small.close()
  })
})

describe('bad input case 14: watchers that never read', () => {
  test('1,000 of them cost little memory, are cut off, and harm nobody else', async () => {
    const sessions = await Promise.all([openSession(), openSession(), openSession(), openSession()])
    const before = process.memoryUsage().rss
    const start = flooded
    const streams = sessions.flatMap((session) => Array.from({ length: 250 }, () => session.request({ ':path': FLOOD_PATH, ...BEARER })))
    // never read: flow control closes after 64 KiB of each connection
    for (const stream of streams) stream.on('error', () => {}).pause()
    const statuses = await Promise.all(streams.map(statusOf))
    expect(new Set(statuses)).toEqual(new Set([200]))
    await delay(1200)
    // 64 KiB of each stream are on the client's side; without back-pressure a watch takes megabytes in this time
    expect((flooded - start) / streams.length).toBeLessThan(128 * 1024)
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
    await alive()
    // those that were resumed before the server gave them up would be served again
    await delay(1500)
    for (const stream of streams) stream.resume()
    await expect.poll(() => streams.every(({ closed }) => closed), { timeout: 5000 }).toBe(true)
    for (const session of sessions) session.destroy()
  })

  test('over HTTP/1.1 the connection is closed', async () => {
    const socket = await fixture.open()
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.pause()
    socket.write(`GET ${FLOOD_PATH} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`)
    await delay(3500)
    let bytes = 0
    socket.on('data', (chunk: Buffer) => (bytes += chunk.byteLength)).resume()
    await closed
    // what the kernel held, and no more
    expect(bytes).toBeLessThan(64 * 1024 * 1024)
  })
})

const FLOOD_PATH = '/api/v1/namespaces/flood/configmaps?watch=true'
const BEARER = { authorization: `Bearer ${ADMIN_TOKEN}` }

describe('bad input case 15: HTTP/2 floods', () => {
  test('a rapid reset flood is answered with GOAWAY', async () => {
    const session = await openSession()
    const code = new Promise<number>((resolve) => session.once('goaway', resolve))
    const open = (): boolean => !session.destroyed && !session.closed
    for (let round = 0; round < 50 && open(); round++) {
      for (let i = 0; i < 50 && open(); i++) {
        const stream = session.request({ ':path': `${CM}/slow`, authorization: `Bearer ${ADMIN_TOKEN}` })
        stream.on('error', () => {})
        stream.close(constants.NGHTTP2_CANCEL)
      }
      await delay(2)
    }
    expect(await code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    await alive()
    // those that had reached the handler hold their places until it is done
    await delay(350)
  })

  test('250 streams at once are served on one connection', async () => {
    const session = await openSession()
    expect(session.remoteSettings.maxConcurrentStreams).toBeGreaterThanOrEqual(250)
    const streams = Array.from({ length: 250 }, () =>
      session.request({ ':path': `${CM}?watch=true`, authorization: `Bearer ${ADMIN_TOKEN}` }),
    )
    expect(new Set(await Promise.all(streams.map(statusOf)))).toEqual(new Set([200]))
    session.destroy()
    await alive()
  })
})

describe('bad input case 16: paths that two readers could read differently', () => {
  test.each([
    '/api/v1/namespaces/default/..%2fkube-system/configmaps/a',
    '/api//v1/namespaces/default/configmaps/a',
    '/api/v1/../v1/namespaces/default/configmaps/a',
    '/api/v1/namespaces/%2e%2e/configmaps/a',
    '/api/v1/namespaces/default/configmaps/a%00',
    '/api/v1/namespaces/default/configmaps/%',
    '/api/v1/namespaces/default/configmaps/%zz',
    '/api/v1/namespaces/default/configmaps/%ff',
    '/api/v1/namespaces/default/configmaps/a%5cb',
    '/api/v1/namespaces/default/configmaps/a\\b',
    '/api./v1',
  ])('%s', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nhost: a\r\n${AUTH}\r\nconnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 40[04] /)
  })

  test('what is authorized and what is routed is one spelling', async () => {
    const answer = await ask('/api/v1/namespaces/default/%63onfigmaps/a%3Ab/')
    expect(answer.body.path).toBe('/api/v1/namespaces/default/configmaps/a:b')
    expect(answer.body.info).toMatchObject({ resource: 'configmaps', name: 'a:b', verb: 'get' })
    const refused = await ask('/api/v1/namespaces/default/%73ecrets/a', { headers: { authorization: `Bearer ${NODE_TOKEN}` } })
    expect(refused.status).toBe(403)
  })
})

describe('load and failures', () => {
  test('too many at once are 429 with Retry-After; health and watches do not wait', async () => {
    const busy = Array.from({ length: 3 }, () => ask(`${CM}/slow`))
    await delay(100)
    const refused = await ask(`${CM}/a`)
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1' }, body: { reason: 'TooManyRequests' } })
    await alive()
    expect((await ask(CM, { method: 'POST', body: '{}' })).status).toBe(200)
    expect((await Promise.all(busy)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await ask(`${CM}/a`)).status).toBe(200)
  })

  test('a failing handler is 500 without its text, logged once with the audit id', async () => {
    const before = fixture.lines.length
    const answer = await ask(`${CM}/broken`)
    expect(answer.body).toMatchObject({ code: 500, reason: 'InternalError' })
    expect(JSON.stringify(answer.body)).not.toContain('secret detail')
    const logged = fixture.lines.slice(before)
    expect(logged).toHaveLength(1)
    expect(logged[0]?.fields).toMatchObject({ auditId: answer.headers['audit-id'] })
  })

  test('large answers come whole and, on this machine, as they are', async () => {
    const answer = await ask(`${CM}/large`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'accept-encoding': 'gzip' } })
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(answer.body.a).toHaveLength(300_000)
  })

  test('stopping ends watches cleanly, finishes requests and says so in readyz', async () => {
    const own = await startFixture(resources)
    const socket = await own.open()
    const watched = readAll(socket, 4000)
    socket.write(`GET ${CM}?watch=true HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`)
    const second = await own.open()
    const slow = readAll(second, 4000)
    second.write(`GET ${CM}/slow HTTP/1.1\r\nhost: a\r\n${AUTH}\r\n\r\n`)
    await delay(100)
    await own.close()
    expect(await watched).toMatch(/"e0".*\r\n0\r\n\r\n$/s)
    expect(await slow).toMatch(/^HTTP\/1.1 200 /)
    const transport = own.server.inProcess({ name: 'x', groups: [] })
    await expect(transport.send({ method: 'GET', path: '/readyz' })).rejects.toThrow()
    await expect(own.open()).rejects.toThrow()
  })
})

function openSession(): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = http2Connect(`https://127.0.0.1:${fixture.port}`, { ca: fixture.pki.ca })
    session.once('error', reject)
    session.once('remoteSettings', () => {
      session.off('error', reject)
      session.on('error', () => {})
      resolve(session)
    })
  })
}

function statusOf(stream: { once(event: 'response', listener: (headers: { ':status'?: number }) => void): unknown }): Promise<number> {
  return new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'] ?? 0)))
}
