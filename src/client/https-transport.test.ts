import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectTo, createServer as createRelay, type AddressInfo, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { StatusError } from '../base/errors.ts'
import { createHttpsTransport, encodeQuery } from './https-transport.ts'
import type { Transport } from './transport.ts'

type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string) => void

interface Peer {
  readonly transport: Transport
  readonly sessions: ServerHttp2Session[]
  readonly seen: string[]
  readonly port: number
  answer: Answer
}

/** Forwards bytes until told to swallow them, as a network that has gone. */
async function silenceableRelay(target: number): Promise<{ port: number; silence: () => void }> {
  const sockets: Socket[] = []
  const server = createRelay((client) => {
    const upstream = connectTo(target, '127.0.0.1')
    sockets.push(client, upstream)
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        for (const socket of sockets) socket.destroy()
      }),
  )
  return { port: (server.address() as AddressInfo).port, silence: () => sockets.forEach((socket) => socket.unpipe().pause()) }
}

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A real HTTP/2 server on loopback, without TLS. */
async function peer(answer: Answer, options: { maxConcurrentStreams?: number; clock?: FakeClock; token?: string } = {}): Promise<Peer> {
  const server: Http2Server = createServer({ settings: { maxConcurrentStreams: options.maxConcurrentStreams ?? 1000 } })
  const sessions: ServerHttp2Session[] = []
  const seen: string[] = []
  const self: { answer: Answer } = { answer }
  server.on('session', (session) => void sessions.push(session))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    let body = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (body += chunk))
    stream.on('end', () => {
      seen.push(`${headers[':method']} ${headers[':path']}`)
      self.answer(stream, headers, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const clock = options.clock ?? systemClock
  const transport = createHttpsTransport({
    server: `http://127.0.0.1:${port}/prefix/`,
    clock,
    random: () => 0,
    ...(options.token ? { token: options.token } : {}),
  })
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        for (const session of sessions) session.destroy()
      }),
    () => transport.close(),
  )
  return Object.assign(self, { transport, sessions, seen, port })
}

function json(stream: ServerHttp2Stream, status: number, body: unknown, headers: Record<string, string> = {}): void {
  stream.respond({ ':status': status, 'content-type': 'application/json', ...headers })
  stream.end(JSON.stringify(body))
}

test.each([
  [{}, ''],
  [{ a: '1', b: undefined }, '?a=1'],
  [{ labelSelector: 'app in (a,b)', 'a&b': '=' }, '?labelSelector=app%20in%20(a%2Cb)&a%26b=%3D'],
  [{ command: ['ls', '-l'] }, '?command=ls&command=-l'],
])('query %j is written %s', (query, text) => expect(encodeQuery(query)).toBe(text))

test('sends method, path with prefix, query, credentials and JSON body, and gives the answer', async () => {
  const { transport } = await peer((stream, headers, body) => json(stream, 201, { headers, body: JSON.parse(body) }, { warning: 'w' }), {
    token: 'tok',
  })
  const response = await transport.send({ method: 'POST', path: '/api/v1/pods', query: { dryRun: 'All' }, body: { a: 'ä' } })
  expect(response.status).toBe(201)
  expect(response.headers['warning']).toBe('w')
  expect(await response.object()).toMatchObject({
    headers: {
      ':method': 'POST',
      ':path': '/prefix/api/v1/pods?dryRun=All',
      authorization: 'Bearer tok',
      'content-type': 'application/json',
    },
    body: { a: 'ä' },
  })
})

test('a body of bytes and its content type go through as they are', async () => {
  const { transport } = await peer((stream, headers, body) => json(stream, 200, [headers['content-type'], body]))
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  const response = await transport.send({ method: 'PATCH', path: '/x', headers, body: Buffer.from('a: 1') })
  expect(await response.object()).toEqual(['application/apply-patch+yaml', 'a: 1'])
})

test('an empty answer is undefined', async () => {
  const { transport } = await peer((stream) => stream.respond({ ':status': 204 }, { endStream: true }))
  expect(await (await transport.send({ method: 'GET', path: '/x' })).object()).toBeUndefined()
})

test('a Status body becomes a StatusError with its reason and details', async () => {
  const body = new StatusError('Invalid', 'bad name', { details: { name: 'x', causes: [{ field: 'metadata.name' }] } }).toBody()
  const { transport } = await peer((stream) => json(stream, 422, body))
  await expect(transport.send({ method: 'GET', path: '/x' })).rejects.toMatchObject({
    name: 'StatusError',
    reason: 'Invalid',
    message: 'bad name',
    details: body.details,
  })
})

test('a plain-text refusal becomes a StatusError by its code', async () => {
  const { transport } = await peer((stream) => {
    stream.respond({ ':status': 404 })
    stream.end('404 page not found\n')
  })
  await expect(transport.send({ method: 'GET', path: '/x' })).rejects.toMatchObject({ reason: 'NotFound', message: '404 page not found' })
})

test('waits as long as Retry-After says, ten times at most', async () => {
  const clock = new FakeClock()
  const busy = new StatusError('TooManyRequests', 'slow down').toBody()
  const { transport, seen } = await peer((stream) => json(stream, 429, busy, { 'retry-after': '1' }), { clock })
  const outcome = transport.send({ method: 'POST', path: '/x', body: {} }).catch((error: unknown) => error)
  for (let second = 0; second < 11; second++) {
    await expect.poll(() => seen.length).toBe(second + 1)
    // the answer has to arrive before its wait can begin
    await expect.poll(() => clock.timers > 1 || second === 10).toBe(true)
    await clock.advance(1000)
  }
  expect(await outcome).toMatchObject({ reason: 'TooManyRequests' })
  expect(seen.length).toBe(11)
})

test('429 without Retry-After is an answer (a disruption budget)', async () => {
  const { transport, seen } = await peer((stream) => json(stream, 429, new StatusError('TooManyRequests', 'budget').toBody()))
  await expect(transport.send({ method: 'POST', path: '/x', body: {} })).rejects.toMatchObject({ message: 'budget' })
  expect(seen.length).toBe(1)
})

test('a GET whose connection breaks is sent once more on a new one, a POST is not', async () => {
  const remote = await peer((stream) => stream.session?.destroy())
  await expect(remote.transport.send({ method: 'GET', path: '/x' })).rejects.toMatchObject({ code: 'ConnectionLost' })
  expect(remote.seen).toEqual(['GET /prefix/x', 'GET /prefix/x'])
  expect(remote.sessions.length).toBe(2)
  await expect(remote.transport.send({ method: 'POST', path: '/y', body: {} })).rejects.toMatchObject({ code: 'ConnectionLost' })
  expect(remote.seen.slice(2)).toEqual(['POST /prefix/y'])
  remote.answer = (stream): void => json(stream, 200, 'back')
  expect(await (await remote.transport.send({ method: 'POST', path: '/y', body: {} })).object()).toBe('back')
})

test('what the server refused to begin with is sent again, whatever the method', async () => {
  const REFUSED_STREAM = 7
  const remote = await peer((stream) => {
    remote.answer = (next): void => json(next, 200, 'done')
    stream.close(REFUSED_STREAM)
  })
  expect(await (await remote.transport.send({ method: 'POST', path: '/x', body: {} })).object()).toBe('done')
  expect(remote.seen.length).toBe(2)
})

test('after GOAWAY the next request takes a new connection while the old one ends its streams', async () => {
  const remote = await peer((stream, headers) => {
    if (headers[':path'] === '/prefix/slow') setTimeout(() => json(stream, 200, 'slow'), 50)
    else json(stream, 200, 'quick')
  })
  await (await remote.transport.send({ method: 'GET', path: '/quick' })).object()
  const pending = remote.transport.send({ method: 'GET', path: '/slow' })
  await expect.poll(() => remote.seen.length).toBe(2)
  remote.sessions[0]?.goaway()
  await expect
    .poll(async () => {
      await (await remote.transport.send({ method: 'GET', path: '/quick' })).object()
      return remote.sessions.length
    })
    .toBe(2)
  expect(await (await pending).object()).toBe('slow')
})

test('a server nobody listens at is Unreachable', async () => {
  const remote = await peer(() => {})
  for (const cleanup of cleanups.splice(0)) await cleanup()
  const transport = createHttpsTransport({ server: 'http://127.0.0.1:1', clock: systemClock, random: () => 0 })
  await expect(transport.send({ method: 'GET', path: '/x' })).rejects.toMatchObject({ code: 'Unreachable' })
  await transport.close()
  await expect(remote.transport.send({ method: 'GET', path: '/x' })).rejects.toMatchObject({ code: 'Closed' })
})

test('aborting ends the exchange with the reason of the signal, before and during the answer', async () => {
  const { transport } = await peer((stream) => {
    stream.respond({ ':status': 200 })
    stream.write('{"type":"ADDED","object":{}}\n')
  })
  const reason = new Error('enough')
  await expect(transport.send({ method: 'GET', path: '/x', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const stop = new AbortController()
  const response = await transport.send({ method: 'GET', path: '/x', signal: stop.signal })
  const events: unknown[] = []
  const reading = (async (): Promise<void> => {
    for await (const event of response.events()) {
      events.push(event)
      stop.abort(reason)
    }
  })()
  await expect(reading).rejects.toBe(reason)
  expect(events).toEqual([{ type: 'ADDED', object: {} }])
})

test('a watch gives its events however they are cut, ends with the server, and fails when the connection breaks', async () => {
  const remote = await peer((stream) => {
    stream.respond({ ':status': 200 })
    stream.write('{"type":"ADDED","obj')
    setTimeout(() => stream.end('ect":1}\n{"type":"MODIFIED","object":2}\n'), 5)
  })
  const read = async (): Promise<unknown[]> => {
    const events: unknown[] = []
    for await (const event of (await remote.transport.send({ method: 'GET', path: '/w' })).events()) events.push(event.object)
    return events
  }
  expect(await read()).toEqual([1, 2])
  remote.answer = (stream): void => {
    stream.respond({ ':status': 200 })
    stream.write('{"type":"ADDED","object":1}\n', () => setTimeout(() => stream.session?.destroy(), 5))
  }
  await expect(read()).rejects.toMatchObject({ code: 'ConnectionLost' })
  remote.answer = (stream): void => {
    stream.respond({ ':status': 200 })
    stream.end('{"type":"ADDED","object":1}\n{"type":')
  }
  await expect(read()).rejects.toMatchObject({ code: 'ConnectionLost' })
})

test('leaving a watch early resets its stream', async () => {
  let closed = false
  const { transport } = await peer((stream) => {
    stream.on('close', () => (closed = true))
    stream.respond({ ':status': 200 })
    stream.write('{"type":"ADDED","object":1}\n')
  })
  for await (const event of (await transport.send({ method: 'GET', path: '/w' })).events()) {
    expect(event.object).toBe(1)
    break
  }
  await expect.poll(() => closed).toBe(true)
})

test('opens a second connection when the server limits streams', async () => {
  const remote = await peer(
    (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('{"type":"ADDED","object":1}\n')
    },
    { maxConcurrentStreams: 3 },
  )
  await Promise.all(Array.from({ length: 7 }, () => remote.transport.send({ method: 'GET', path: '/w' })))
  expect(remote.sessions.length).toBe(3)
})

test('gives up a connection that does not answer pings, and keeps one that does', async () => {
  const clock = new FakeClock()
  const remote = await peer((stream, headers) => (headers[':path'] === '/hang' ? undefined : json(stream, 200, 1)))
  const relay = await silenceableRelay(remote.port)
  const transport = createHttpsTransport({ server: `http://127.0.0.1:${relay.port}`, clock, random: () => 0 })
  cleanups.push(() => transport.close())
  const ask = async (): Promise<unknown> => (await transport.send({ method: 'GET', path: '/x' })).object()
  const warnings: string[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', onWarning)
  await ask()
  for (let ping = 0; ping < 12; ping++) {
    await clock.advance(30_000)
    // on one connection the answer comes after the pong
    await ask()
  }
  process.off('warning', onWarning)
  expect(warnings).toEqual([])
  await clock.advance(15_000)
  expect(remote.sessions.map((session) => session.destroyed)).toEqual([false])
  const hanging = transport.send({ method: 'POST', path: '/hang', body: {} }).catch((error: unknown) => error)
  await expect.poll(() => remote.seen.at(-1)).toBe('POST /hang')
  relay.silence()
  await clock.advance(30_000)
  await clock.advance(15_000)
  expect(await hanging).toMatchObject({ code: 'ConnectionLost' })
})

test('reads a list of 20 MB whole', async () => {
  const items = Array.from({ length: 10_000 }, (_, i) => ({ name: `pod-${i}`, filler: 'x'.repeat(2000) }))
  const { transport } = await peer((stream) => json(stream, 200, { items }))
  const list = (await (await transport.send({ method: 'GET', path: '/x' })).object()) as { items: unknown[] }
  expect(list.items.length).toBe(10_000)
})
