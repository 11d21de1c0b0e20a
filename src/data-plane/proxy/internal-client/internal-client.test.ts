import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import type { HealthCheck } from '../../../policy/traffic/model/index.ts'
import type { UpstreamOptions } from '../contract.ts'
import { HeaderList, openEndpoint } from '../engine/index.ts'
import { dial } from '../transport/dial.ts'
import { ClientFixture, textOf } from './client-fixture.ts'
import { createFetchText, createProbe, createStartMirror, type InternalCallError } from './index.ts'
import { PieceSearch } from './probe.ts'

let fixture: ClientFixture
beforeEach(() => {
  fixture = new ClientFixture()
})
afterEach(() => fixture.close())

const GET = { method: 'GET', path: '/a?b', authority: 'x' }
const soon = { timeoutMs: 2_000 }
/** Of a promise that is expected to be rejected. */
const failure = (promise: Promise<unknown>): Promise<InternalCallError> =>
  promise.then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => error as InternalCallError,
  )
const series = (name: string): number =>
  Number(new RegExp(`^envoy_cluster_${name}\\{.*\\} (\\d+)`, 'm').exec(fixture.metrics.render())?.[1] ?? 'NaN')

describe('the internal client', () => {
  it.each(['http', 'http2'] as const)('sends what it is given and takes the answer, over %s', async (protocol) => {
    const body = randomBytes(300_000)
    const seen: unknown[] = []
    const port = await (protocol === 'http'
      ? fixture.http((request, response) => {
          seen.push(request.method, request.url, request.headers.host, request.headers['x-a'])
          response.writeHead(201, { 'x-b': '2' })
          request.pipe(response)
        })
      : fixture.http2((stream, headers) => {
          seen.push(headers[':method'], headers[':path'], headers[':authority'], headers['x-a'])
          stream.respond({ ':status': 201, 'x-b': '2' })
          stream.pipe(stream)
        }))
    fixture.cluster('c', [port], { protocol })
    const request = { method: 'PUT', path: '/a?b', authority: 'x:1', headers: [{ name: 'x-a', value: '1' }], body }
    for (let i = 0; i < 2; i++) {
      const answer = await fixture.client.call('c', request, soon)
      expect([answer.status, answer.headers.get('x-b'), answer.body.equals(body)]).toEqual([201, '2', true])
    }
    expect(seen.slice(0, 4)).toEqual(['PUT', '/a?b', 'x:1', '1'])
    const cluster = fixture.clusters.get('c')
    expect([cluster?.circuit.requests, cluster?.hosts[0]?.active, cluster?.circuit.connections]).toEqual([0, 0, 1])
    expect([series('upstream_rq_total'), series('upstream_rq_completed')]).toEqual([2, 2])
  })

  it('says why there is no answer, and leaves nothing counted', async () => {
    const slow = await fixture.http(() => {})
    const long = await fixture.http((_, response) => void response.end(Buffer.alloc(100_000)))
    const broken = await fixture.tcp((socket) => socket.once('data', () => socket.end('rubbish\r\n\r\n')))
    fixture.cluster('slow', [slow]).cluster('long', [long]).cluster('broken', [broken]).cluster('away', [1]).cluster('empty', [])
    fixture.cluster('full', [slow], { limits: { maxRequests: 0 } })
    const ask = (name: string, more = {}): Promise<InternalCallError> => failure(fixture.client.call(name, GET, { ...soon, ...more }))
    expect((await ask('slow', { timeoutMs: 50 })).kind).toBe('timeout')
    expect(await ask('long', { maxBytes: 99_999 })).toMatchObject({ kind: 'tooLarge', status: 200 })
    expect((await ask('broken')).kind).toBe('protocol')
    expect((await ask('away')).kind).toBe('connect')
    expect((await ask('empty')).kind).toBe('noHost')
    expect((await ask('nowhere')).kind).toBe('noCluster')
    expect((await ask('full')).kind).toBe('overflow')
    for (const [name, cluster] of fixture.clusters.clusters)
      expect([name, cluster.circuit.requests, ...cluster.hosts.map(({ active }) => active)]).toEqual([
        name,
        0,
        ...cluster.hosts.map(() => 0),
      ])
  })

  it('asks another endpoint where the first did nothing with the request', async () => {
    const port = await fixture.http((_, response) => void response.end('here'))
    fixture.cluster('c', [1, port])
    for (let i = 0; i < 4; i++) expect((await fixture.client.call('c', GET, soon)).body.toString()).toBe('here')
  })

  it('asks again where a pooled connection had ended', async () => {
    let served = 0
    const port = await fixture.tcp((socket) =>
      socket.on('data', () => {
        // says nothing of its end, and has gone when the next request comes
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
        if (served++ % 2 === 0) socket.once('data', () => socket.destroy())
      }),
    )
    fixture.cluster('c', [port])
    for (let i = 0; i < 2; i++) expect((await fixture.client.call('c', GET, soon)).body.toString()).toBe('ok')
  })

  it('forgets a call that nobody waits for', async () => {
    const came = vi.fn<() => void>()
    const gone = vi.fn<() => void>()
    const port = await fixture.http((request) => {
      came()
      request.socket.on('close', gone)
    })
    fixture.cluster('c', [port])
    const settled = vi.fn<() => void>()
    const call = fixture.client.start('c', GET, soon)
    call.answer.then(settled, settled)
    await vi.waitFor(() => expect(came).toHaveBeenCalled())
    call.cancel()
    call.cancel()
    await vi.waitFor(() => expect(gone).toHaveBeenCalled())
    const cluster = fixture.clusters.get('c')
    expect([cluster?.circuit.requests, cluster?.hosts[0]?.active, settled.mock.calls.length]).toEqual([0, 0, 0])
  })

  it('calls gRPC', async () => {
    const port = await fixture.grpc((path, [message = Buffer.alloc(0)], headers) =>
      path === '/a.B/Echo'
        ? [Buffer.concat([message, Buffer.from(`${String(headers['grpc-timeout'])} ${String(headers['te'])}`)])]
        : path === '/a.B/Twice'
          ? [message, message]
          : { code: 7, message: 'no: é' },
    )
    fixture.cluster('c', [port], { protocol: 'http2' })
    const call = (path: string): Promise<Buffer> =>
      fixture.client.grpc('c', { path, authority: 'x', message: Buffer.from('hi ') }, soon).message
    expect((await call('/a.B/Echo')).toString()).toBe('hi 2000m trailers')
    await expect(call('/a.B/Twice')).rejects.toMatchObject({ name: 'GrpcError', code: 13 })
    await expect(call('/a.B/No')).rejects.toMatchObject({ name: 'GrpcError', code: 7, message: 'no: é' })
  })

  it('fetches documents', async () => {
    const port = await fixture.http((request, response) => {
      response.statusCode = request.url === '/no' ? 404 : 200
      response.end(`${request.headers.host} ${request.url}`)
    })
    fixture.cluster('issuer', [port])
    const fetch = createFetchText(fixture.client)
    const of = (uri: string): Promise<string> => fetch({ cluster: 'issuer', uri, timeoutMs: 2_000 })
    expect(await of('https://i.example.com/keys?a=1')).toBe('i.example.com /keys?a=1')
    expect(await of('/keys')).toBe('issuer /keys')
    await expect(of('/no')).rejects.toThrow('/no through cluster issuer: the answer has HTTP status 404 instead of 200')
    await expect(of('ftp://x/')).rejects.toThrow(/write it like https/)
  })
})

describe('mirrors', () => {
  const head = (more = {}) => ({
    method: 'POST',
    path: '/a',
    authority: 'x',
    scheme: 'http',
    headers: new HeaderList(['x-a', '1']),
    isGrpc: false,
    endsWithHead: false,
    ...more,
  })
  const endpoint = (name: string) => {
    const cluster = fixture.clusters.get(name)
    const host = cluster?.pick()
    if (!cluster || !host) throw new Error('there is no endpoint')
    return cluster.connect(host)
  }

  it.each(['http', 'http2'] as const)('copies a request with its body over %s', async (protocol) => {
    const seen: string[] = []
    const port = await (protocol === 'http'
      ? fixture.http((request, response) => {
          void textOf(request).then((body) =>
            seen.push(`${request.method} ${request.headers.host} ${String(request.headers['x-a'])} ${body}`),
          )
          response.end(Buffer.alloc(1_000_000))
        })
      : fixture.http2((stream, headers) => {
          void textOf(stream).then((body) => seen.push(`${headers[':method']} ${headers[':authority']} ${String(headers['x-a'])} ${body}`))
          stream.respond({ ':status': 200 })
          stream.end(Buffer.alloc(1_000_000))
        }))
    fixture.cluster('c', [port], { protocol })
    const start = createStartMirror(fixture.wheel)
    for (let i = 0; i < 2; i++) {
      const request = head()
      const copy = start(endpoint('c'), request, 'x-shadow')
      request.headers.set('x-a', 'changed later')
      copy.write(Buffer.from('one '), false)
      copy.write(Buffer.from('two'), false)
      copy.write(Buffer.alloc(0), true)
      await vi.waitFor(() => expect(seen).toHaveLength(i + 1))
      expect(seen[i]).toBe('POST x-shadow 1 one two')
      await vi.waitFor(() => expect(endpoint('c').activeRequests).toBe(0))
    }
    start(endpoint('c'), head({ method: 'GET', endsWithHead: true }), 'x-shadow')
    await vi.waitFor(() => expect(seen[2]).toBe('GET x-shadow 1 '))
  })

  it('gives a copy up that falls behind, and one that nobody takes', async () => {
    fixture.cluster('slow', [await fixture.tcp((socket) => socket.pause())]).cluster('away', [1])
    const start = createStartMirror(fixture.wheel)
    const copy = start(endpoint('slow'), head(), 'x-shadow')
    for (let i = 0; i < 2_000 && (i === 0 || endpoint('slow').activeRequests > 0); i++) {
      copy.write(Buffer.alloc(10_000), false)
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(endpoint('slow').activeRequests).toBe(0)
    copy.write(Buffer.from('more'), true)
    const lost = start(endpoint('away'), head(), 'x-shadow')
    await vi.waitFor(() => expect(endpoint('away').activeRequests).toBe(0))
    lost.write(Buffer.from('more'), true)
  })
})

describe('active health checks', () => {
  const common = { intervalMs: 1_000, timeoutMs: 300, healthyThreshold: 1, unhealthyThreshold: 1 }
  let opened = 0
  const check = (name: string, more: Partial<HealthCheck> & Pick<HealthCheck, 'type'>, probe = makeProbe()): Promise<boolean> => {
    const cluster = fixture.clusters.get(name)
    const host = cluster?.hosts[0]
    if (!cluster || !host) throw new Error('there is no endpoint')
    return new Promise((resolve) => probe(host, { ...common, ...more } as HealthCheck, resolve, cluster))
  }
  const makeProbe = () => {
    opened = 0
    const open = (options: UpstreamOptions) => {
      opened++
      return openEndpoint(options, { clock: systemClock, wheel: fixture.wheel })
    }
    return createProbe({ wheel: fixture.wheel, openEndpoint: open, dial }).probe
  }

  it('asks over HTTP', async () => {
    const seen: string[] = []
    let connections = 0
    const port = await fixture.http((request, response) => {
      seen.push(`${request.url} ${request.headers.host} ${String(request.headers['x-a'])}`)
      if (request.socket.listenerCount('mark') === 0) connections++
      request.socket.on('mark', () => {})
      response.statusCode = request.url === '/bad' ? 503 : 200
      if (request.url !== '/slow') response.end(request.url === '/long' ? Buffer.alloc(200_000) : 'x')
    })
    fixture.cluster('c', [port], { limits: { maxConnections: 1, maxPendingRequests: 0 } }).cluster('away', [1])
    const http = { type: 'http', path: '/ok', expectedStatuses: [] } as const
    const probe = makeProbe()
    const same = { ...common, ...http, host: 'h', headers: [{ name: 'x-a', value: '1' }] } as HealthCheck
    const cluster = fixture.clusters.get('c')
    const host = cluster?.hosts[0]
    if (!cluster || !host) throw new Error('there is no endpoint')
    const again = () => new Promise<boolean>((resolve) => probe(host, same, resolve, cluster))
    expect([await again(), await again(), opened, connections]).toEqual([true, true, 1, 1])
    expect(seen[0]).toBe('/ok h 1')
    expect(await check('c', { ...http, path: '/bad' })).toBe(false)
    expect(await check('c', { ...http, path: '/bad', expectedStatuses: [503] })).toBe(true)
    expect(await check('c', { ...http, path: '/long' })).toBe(true)
    expect(await check('c', { ...http, path: '/slow' })).toBe(false)
    expect(await check('away', http)).toBe(false)
  })

  it('uses a connection for each check where it shall', async () => {
    const port = await fixture.http((_, response) => void response.end())
    fixture.cluster('c', [port])
    const probe = makeProbe()
    const http = { type: 'http', path: '/', expectedStatuses: [], reuseConnection: false } as const
    expect([await check('c', http, probe), await check('c', http, probe), opened]).toEqual([true, true, 2])
  })

  it('asks over gRPC', async () => {
    const port = await fixture.grpc((path, [message = Buffer.alloc(0)]) => {
      if (path !== '/grpc.health.v1.Health/Check') return { code: 12 }
      const name = message.subarray(2).toString()
      return name === 'unknown' ? { code: 5 } : [Buffer.from([8, name === 'sick' ? 2 : 1])]
    })
    fixture.cluster('c', [port], { protocol: 'http2' }).cluster('plain', [await fixture.http((_, response) => void response.end())])
    expect(await check('c', { type: 'grpc' })).toBe(true)
    expect(await check('c', { type: 'grpc', service: 'well' })).toBe(true)
    expect(await check('c', { type: 'grpc', service: 'sick' })).toBe(false)
    expect(await check('c', { type: 'grpc', service: 'unknown' })).toBe(false)
    expect(await check('plain', { type: 'grpc' })).toBe(false)
  })

  it('asks over TCP', async () => {
    const base64 = (text: string): string => Buffer.from(text).toString('base64')
    const port = await fixture.tcp((socket) => socket.on('data', (chunk: Buffer) => socket.write(`<${chunk.toString()}>`)))
    fixture.cluster('c', [port], { protocol: 'tcp' }).cluster('away', [1])
    expect(await check('c', { type: 'tcp' })).toBe(true)
    expect(await check('c', { type: 'tcp', send: base64('ping'), receive: [base64('pi'), base64('>')] })).toBe(true)
    expect(await check('c', { type: 'tcp', send: base64('ping'), receive: [base64('>'), base64('pi')] })).toBe(false)
    expect(await check('away', { type: 'tcp' })).toBe(false)
  })

  it('finds pieces wherever what is said is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[ab]{1,3}$/), { maxLength: 4 }),
        fc.array(fc.stringMatching(/^[abc]{0,4}$/), { maxLength: 12 }),
        (pieces, chunks) => {
          const search = new PieceSearch(pieces.map((piece) => Buffer.from(piece)))
          for (const chunk of chunks) search.take(Buffer.from(chunk))
          expect(search.isDone).toBe(new RegExp(pieces.join('.*')).test(chunks.join('')))
        },
      ),
    )
  })
})
