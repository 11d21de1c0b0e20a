import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttp2, type Http2Server } from 'node:http2'
import { connect, createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { healthCheckRequest, probeGrpc, verdict } from './probe-grpc.ts'
import { probeHttp } from './probe-http.ts'
import { exhausted, initialProgress, nextProgress, probeTiming, resolvePort, type ProbeKind } from './probe-schedule.ts'
import { probeTcp } from './probe-tcp.ts'

const servers: (Server | TcpServer | Http2Server)[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listen(server: Server | TcpServer | Http2Server): Promise<{ host: string; port: number }> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** A port on which nothing listens. */
async function closedPort(): Promise<{ host: string; port: number }> {
  const target = await listen(createTcp())
  const server = servers.pop() as TcpServer
  await new Promise((resolve) => server.close(resolve))
  return target
}

describe('probeHttp', () => {
  test.each([
    [200, true],
    [302, true],
    [399, true],
    [404, false],
    [500, false],
  ])('status %i: %s', async (status, ok) => {
    const target = await listen(
      createHttp((_request, response) => response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('x')),
    )
    const outcome = await probeHttp({ port: 0 }, target, 2_000)
    expect(outcome).toEqual(ok ? { ok } : { ok, message: `HTTP probe failed with statuscode: ${status}` })
  })

  test('sends path, headers and its name', async () => {
    const seen: unknown[] = []
    const target = await listen(
      createHttp((request, response) => {
        seen.push(request.url, request.headers['host'], request.headers['x-a'], request.headers['user-agent'])
        response.end()
      }),
    )
    await probeHttp(
      {
        port: 0,
        path: 'ready?x=1',
        httpHeaders: [
          { name: 'Host', value: 'web' },
          { name: 'X-A', value: 'b' },
        ],
      },
      target,
      2_000,
    )
    expect(seen).toEqual(['/ready?x=1', 'web', 'b', expect.stringMatching(/^kube-probe\//)])
  })

  test('gives up on a server that does not answer, and on a closed port', async () => {
    const silent = await listen(createTcp((socket) => void socket.resume().on('error', () => {})))
    expect(await probeHttp({ port: 0, path: '/x' }, silent, 50)).toEqual({
      ok: false,
      message: `Get "http://127.0.0.1:${silent.port}/x": context deadline exceeded`,
    })
    expect(await probeHttp({ port: 0 }, await closedPort(), 2_000)).toMatchObject({
      ok: false,
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })
})

test('probeTcp passes when a connection opens', async () => {
  expect(await probeTcp(await listen(createTcp((socket) => void socket.resume().on('error', () => {}))), 2_000)).toEqual({ ok: true })
  expect(await probeTcp(await closedPort(), 2_000)).toMatchObject({
    ok: false,
    message: expect.stringMatching(/^dial tcp 127\.0\.0\.1:\d+: .*ECONNREFUSED/),
  })
})

/** A health service that answers with these bytes and this status. */
function health(answer: (service: Buffer) => { message?: Buffer; status: string }): Promise<{ host: string; port: number }> {
  const server = createHttp2()
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      if (headers[':path'] !== '/grpc.health.v1.Health/Check') return stream.close()
      const { message, status } = answer(Buffer.concat(chunks))
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
      stream.end(message)
    })
  })
  return listen(server)
}

const frame = (status: number): Buffer => Buffer.from([0, 0, 0, 0, status === 0 ? 0 : 2, ...(status === 0 ? [] : [8, status])])

describe('probeGrpc', () => {
  test.each<[string, Buffer | undefined, string, string | undefined]>([
    ['SERVING', frame(1), '0', undefined],
    ['NOT_SERVING', frame(2), '0', 'service unhealthy (responded with "NOT_SERVING")'],
    ['UNKNOWN, the value that is not sent', frame(0), '0', 'service unhealthy (responded with "UNKNOWN")'],
    ['no such service', undefined, '5', 'health rpc failed with grpc status 5'],
    ['no health service', undefined, '12', 'this server does not implement the grpc health protocol (grpc.health.v1.Health)'],
  ])('%s', async (_name, message, status, problem) => {
    const target = await health(() => ({ ...(message ? { message } : {}), status }))
    expect(await probeGrpc({ ...target, service: '' }, 2_000)).toEqual(
      problem === undefined ? { ok: true } : { ok: false, message: problem },
    )
  })

  test('asks for the service', async () => {
    const target = await health((request) => ({ message: frame(request.subarray(7).toString() === 'shop.Cart' ? 1 : 2), status: '0' }))
    expect(await probeGrpc({ ...target, service: 'shop.Cart' }, 2_000)).toEqual({ ok: true })
  })

  test('a peer that is no gRPC server, or none at all', async () => {
    const plain = await listen(
      createTcp((socket) =>
        socket
          .resume()
          .on('error', () => {})
          .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      ),
    )
    expect(await probeGrpc({ ...plain, service: '' }, 2_000)).toMatchObject({ ok: false })
    expect(await probeGrpc({ ...(await closedPort()), service: '' }, 2_000)).toMatchObject({
      ok: false,
      message: expect.stringContaining('failed to connect'),
    })
  })

  test('the request is one frame around field 1', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (service) => {
        const bytes = healthCheckRequest(service)
        expect([bytes[0], bytes.readUInt32BE(1)]).toEqual([0, bytes.length - 5])
        if (service === '') {
          expect(bytes.length).toBe(5)
          return
        }
        expect(bytes[5]).toBe(0x0a)
        let [length, at, shift] = [0, 6, 0]
        for (; ; shift += 7) {
          const byte = bytes[at++] as number
          length |= (byte & 127) << shift
          if (byte < 128) break
        }
        expect(bytes.subarray(at).toString()).toBe(Buffer.from(service).toString())
        expect(bytes.length - at).toBe(length)
      }),
    )
  })

  test('an answer of any bytes gives a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.option(fc.constantFrom('', '0', '2', 'x'), { nil: undefined }), (bytes, status) => {
        const outcome = verdict(Buffer.from(bytes), status)
        expect(outcome.ok).toBe(status === '0' && bytes.length >= 7 && bytes[5] === 8 && bytes[6] === 1)
      }),
    )
  })
})

describe('probe schedule', () => {
  test.each<[ProbeKind, object, string, string]>([
    ['liveness', {}, '000', '++-'],
    ['liveness', { failureThreshold: 1 }, '0', '-'],
    ['liveness', {}, '00100', '+++++'],
    ['readiness', {}, '01', '-+'],
    ['readiness', { successThreshold: 2 }, '10110', '---++'],
    ['readiness', { failureThreshold: 2 }, '1001', '++-+'],
    ['startup', {}, '001', '--+'],
  ])('%s %j: outcomes %s give %s', (kind, probe, outcomes, want) => {
    let progress = initialProgress(kind)
    const verdicts = outcomes.split('').map((outcome) => {
      progress = nextProgress(progress, probe, outcome === '1')
      return progress.passing ? '+' : '-'
    })
    expect(verdicts.join('')).toBe(want)
  })

  test('patience ends with the failure threshold', () => {
    const failed = (times: number): boolean => {
      let progress = initialProgress('startup')
      for (let i = 0; i < times; i++) progress = nextProgress(progress, { failureThreshold: 4 }, false)
      return exhausted(progress, { failureThreshold: 4 })
    }
    expect([failed(3), failed(4)]).toEqual([false, true])
  })

  test('has upstream defaults', () => {
    expect(probeTiming({})).toEqual({ initialDelayMs: 0, periodMs: 10_000, timeoutMs: 1_000 })
    expect(probeTiming({ initialDelaySeconds: 1, periodSeconds: 2, timeoutSeconds: 3 })).toEqual({
      initialDelayMs: 1_000,
      periodMs: 2_000,
      timeoutMs: 3_000,
    })
  })

  test.each([
    [80, 80],
    ['http', 8080],
    ['9090', 9090],
    ['nope', undefined],
  ])('port %s is %s', (port, want) => {
    expect(resolvePort(port, { name: 'c', ports: [{ name: 'http', containerPort: 8080 }] })).toBe(want)
  })
})

test('probes come from where they are told to', async () => {
  const http = await listen(createHttp((_request, response) => response.end()))
  const grpc = await health(() => ({ message: frame(1), status: '0' }))
  const from: string[] = []
  // nobody has the address of the target: only what connects for the probe gets there
  const by = ({ port }: { readonly port: number }): Parameters<typeof probeTcp>[0] => ({
    host: '192.0.2.1',
    port,
    connect: (target) => {
      from.push(target.host)
      return connect({ ...target, host: '127.0.0.1' })
    },
  })
  expect(await probeHttp({ port: 0, path: '/' }, by(http), 2_000)).toEqual({ ok: true })
  expect(await probeTcp(by(http), 2_000)).toEqual({ ok: true })
  expect(await probeGrpc({ ...by(grpc), service: '' }, 2_000)).toEqual({ ok: true })
  expect(await probeHttp({ port: 0, scheme: 'HTTPS' }, by(http), 2_000)).toMatchObject({
    message: expect.stringMatching(/^Get "https:.*(wrong version number|packet length too long|EPROTO)/),
  })
  expect(from).toEqual(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1'])
})
