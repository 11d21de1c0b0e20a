import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type MiniProxy, startMiniProxy } from './http2-proxy/mini-proxy.ts'

const run = promisify(execFile)
const SIZES = [0, 1, 100, 16_383, 16_384, 16_385, 65_535, 65_536, 300_000, 5_000_000]

/** Echoes bodies and trailers; `/slow` never answers, `/reset` resets, `/early` answers before the body. */
function startUpstream(): Promise<http2.Http2Server> {
  const server = http2.createServer({ maxSessionMemory: 1000, settings: { maxConcurrentStreams: 50, enableConnectProtocol: true } })
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, _flags: number, raw: string[]) => {
    stream.on('error', () => undefined)
    const path = headers[':path'] ?? ''
    if (path === '/slow') return
    if (path === '/reset') return stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM)
    if (path === '/refuse') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM)
    if (path === '/half') {
      stream.respond({ ':status': 200 })
      return void stream.write('half', () => stream.destroy(new Error('broken off')))
    }
    if (path === '/early') return stream.respond({ ':status': 403 }, { endStream: true })
    if (path === '/headers') {
      stream.respond({ ':status': 200, 'x-seen': JSON.stringify(raw), 'set-cookie': ['a=1', 'b=2'] })
      return void stream.end()
    }
    if (path.startsWith('/size/')) {
      stream.respond({ ':status': 200 })
      return void stream.end(Buffer.alloc(Number(path.slice(6)), 'x'))
    }
    if (headers[':protocol'] !== undefined) {
      stream.respond({ ':status': 200 })
      return void stream.pipe(stream)
    }
    stream.respond({ ':status': 200, 'x-method': headers[':method'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.pipe(stream)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly trailers: http2.IncomingHttpHeaders
  readonly body: Buffer
}

function request(client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request(headers, { endStream: body === undefined })
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {}
    let trailers: http2.IncomingHttpHeaders = {}
    const chunks: Buffer[] = []
    stream.on('response', (fields) => (head = fields))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () =>
      stream.rstCode === 0
        ? resolve({ status: head[':status'] ?? 0, headers: head, trailers, body: Buffer.concat(chunks) })
        : reject(new Error(`reset ${stream.rstCode}`)),
    )
    if (body !== undefined) stream.end(body)
  })
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')

describe('HTTP/2 through the engine', () => {
  let upstream: http2.Http2Server
  let proxy: MiniProxy
  let client: http2.ClientHttp2Session

  beforeAll(async () => {
    upstream = await startUpstream()
    proxy = await startMiniProxy((upstream.address() as AddressInfo).port)
    // Node counts what waits for windows as memory of the session.
    client = http2.connect(`http://127.0.0.1:${proxy.port}`, { maxSessionMemory: 1000 })
  })

  afterAll(async () => {
    client.destroy()
    await proxy.close()
    upstream.close()
  })

  const settled = async (): Promise<void> => {
    await vi.waitFor(() => {
      expect(proxy.endpoint.activeRequests).toBe(0)
      expect([...proxy.served].reduce((sum, { activeStreams }) => sum + activeStreams, 0)).toBe(0)
      expect(proxy.admitted().pending).toBe(0)
    })
  }

  test.each(SIZES)('echoes %d bytes both ways, with trailers', async (size) => {
    const body = randomBytes(size)
    const answer = await request(client, { ':method': 'POST', ':path': '/echo' }, body)
    expect(answer.status).toBe(200)
    expect(md5(answer.body)).toBe(md5(body))
    expect(answer.trailers['grpc-status']).toBe('0')
    await settled()
  })

  test('many bodies at once stay apart', async () => {
    const bodies = Array.from({ length: 60 }, (_, i) => Buffer.alloc(200_000, i))
    const answers = await Promise.all(bodies.map((body) => request(client, { ':method': 'POST', ':path': '/echo' }, body)))
    answers.forEach(({ body }, i) => expect(body.equals(bodies[i] as Buffer)).toBe(true))
    await settled()
  })

  test('fields arrive as they were sent, repeated ones too', async () => {
    const long = 'v'.repeat(20_000)
    const answer = await request(client, { ':path': '/headers', 'x-many': ['1', '2'], 'x-long': long, 'user-agent': 'ü' })
    const seen = JSON.parse(answer.headers['x-seen'] as string) as string[]
    const values = (name: string): string[] => seen.filter((_, i) => i % 2 === 1 && seen[i - 1] === name)
    expect([values('x-many'), values('x-long'), values('user-agent')]).toEqual([['1', '2'], [long], ['ü']])
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2'])
  })

  test('a HEAD answer with content-length has no body', async () => {
    const answer = await request(client, { ':method': 'HEAD', ':path': '/size/1000' })
    expect(answer.body).toHaveLength(0)
    await settled()
  })

  test('a reset of the upstream before the head resets the stream', async () => {
    await expect(request(client, { ':path': '/reset' })).rejects.toThrow()
    await settled()
  })

  test('a refused stream is known not to have been processed', async () => {
    const answer = await request(client, { ':path': '/refuse' })
    expect(answer.headers['x-failure']).toBe('refusedStream unprocessed')
    await settled()
  })

  test('a response that breaks off is reset, not ended', async () => {
    await expect(request(client, { ':path': '/half' })).rejects.toThrow()
    await settled()
  })

  test.each(['/slow', '/echo'])('a request that is cancelled while it is sent to %s leaves nothing behind', async (path) => {
    const stream = client.request({ ':method': 'POST', ':path': path })
    stream.on('error', () => undefined)
    stream.write(Buffer.alloc(100_000))
    await vi.waitFor(() => expect(proxy.endpoint.activeRequests).toBe(1))
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await settled()
  })

  test('an answer before the end of a large request ends the request', async () => {
    const stream = client.request({ ':method': 'POST', ':path': '/early' })
    stream.on('error', () => undefined)
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])))
    stream.write(Buffer.alloc(1_000_000))
    expect(await status).toBe(403)
    stream.close()
    await settled()
  })

  test('a client that does not read stops the upstream, and gets everything later', async () => {
    const stream = client.request({ ':path': '/size/3000000' })
    await new Promise((resolve) => stream.on('response', resolve))
    stream.pause()
    // Others go on meanwhile.
    for (let i = 0; i < 5; i++) expect((await request(client, { ':path': '/size/100000' })).body).toHaveLength(100_000)
    let size = 0
    stream.on('data', (chunk: Buffer) => (size += chunk.length))
    stream.resume()
    await new Promise((resolve) => stream.on('close', resolve))
    expect(size).toBe(3_000_000)
    await settled()
  })

  test('extended CONNECT opens a tunnel for WebSocket (RFC 8441)', async () => {
    const fresh = http2.connect(`http://127.0.0.1:${proxy.port}`)
    await new Promise((resolve) => fresh.once('remoteSettings', resolve))
    const stream = fresh.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/chat', ':authority': 'a' })
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])))
    const echoed = new Promise((resolve) => stream.on('data', (chunk: Buffer) => resolve(chunk.toString())))
    stream.write('frame')
    expect(await status).toBe(200)
    expect(await echoed).toBe('frame')
    stream.end()
    await settled()
    fresh.destroy()
  })

  test('draining lets streams end and then closes', async () => {
    const fresh = http2.connect(`http://127.0.0.1:${proxy.port}`)
    const closed = new Promise((resolve) => fresh.on('close', resolve))
    const stream = fresh.request({ ':method': 'POST', ':path': '/echo' })
    await new Promise((resolve) => stream.on('response', resolve))
    const goAway = new Promise((resolve) => fresh.on('goaway', resolve))
    for (const one of proxy.served) if (one.activeStreams === 1) one.drain()
    await goAway
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.end('still here')
    await closed
    expect(Buffer.concat(chunks).toString()).toBe('still here')
  })

  test('curl speaks to it by prior knowledge', async () => {
    const { stdout } = await run('curl', [
      '-s',
      '--http2-prior-knowledge',
      '-d',
      'hello',
      '-w',
      ' %{http_code} %{http_version}',
      `http://127.0.0.1:${proxy.port}/echo`,
    ])
    expect(stdout).toBe('hello 200 2')
  })

  test('h2load: 5000 requests, none failed', async () => {
    const { stdout } = await run('h2load', ['-n5000', '-c8', '-m20', `http://127.0.0.1:${proxy.port}/size/100`])
    expect(stdout).toContain('5000 succeeded, 0 failed')
    await settled()
  })

  test('h2load: 200 requests of 1 MB', async () => {
    const { stdout } = await run('h2load', ['-n200', '-c4', '-m10', `http://127.0.0.1:${proxy.port}/size/1000000`])
    expect(stdout).toContain('200 succeeded, 0 failed')
    await settled()
  })
})
