import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type ClientHttp2Stream, type ServerHttp2Session } from 'node:http2'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { decodeDeltaResponse, encodeDeltaRequest, type DeltaDiscoveryResponse } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../../protocols/grpc-frames/index.ts'
import type { EncodedResource, ResourceChange, ResourceSource } from './contract.ts'
import { encodeResource } from './encode-resource.ts'
import { XDS_TYPE } from './type-order.ts'
import { DELTA_PATH, XdsServer, type XdsServerLimits } from './xds-server.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const KIB = 1_024
/** What is sent to a proxy at once, and more than what clients here and sockets take without being read. */
const SIZE = 400 * KIB

/** One resource, the same for all. */
class Source implements ResourceSource {
  #resource: EncodedResource = this.#encode('1')
  #listener: (change: ResourceChange) => void = () => {}

  change(mark: string): void {
    this.#resource = this.#encode(mark)
    this.#listener({ names: new Map([[XDS_TYPE.endpoints, new Set(['a'])]]), urgent: true })
  }

  resource(_proxy: string, typeUrl: string, name: string): EncodedResource | undefined {
    return typeUrl === XDS_TYPE.endpoints && name === 'a' ? this.#resource : undefined
  }

  names(): Iterable<string> {
    return ['a']
  }

  onChange(listener: (change: ResourceChange) => void): () => void {
    this.#listener = listener
    return () => (this.#listener = () => {})
  }

  #encode(mark: string): EncodedResource {
    return encodeResource({ typeUrl: XDS_TYPE.endpoints, name: 'a', bytes: Buffer.alloc(SIZE, mark), origins: [] })
  }
}

async function started(limits: Partial<XdsServerLimits> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'xds-'))
  const clock = new FakeClock()
  const source = new Source()
  const xds = new XdsServer({
    source,
    clock,
    metrics: createMetrics(),
    log: silentLogger,
    authenticate: () => Promise.resolve({ proxyOf: (id) => id }),
    kindOf: () => 'biplane',
    // connections that are alive are not what is tested
    limits: { pingMs: 1e9, ...limits },
  })
  const server = createServer()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => xds.handle(stream, headers))
  const path = join(dir, 's')
  server.listen(path)
  await once(server, 'listening')
  closing.push(async () => {
    xds.close()
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
    await rm(dir, { recursive: true })
  })
  return { xds, clock, source, path }
}

/** A proxy with a connection of its own. Reads nothing until told to, then confirms everything. */
function proxy(path: string, id: string) {
  const session = connect('http://x', { createConnection: () => createConnection(path) })
  session.on('error', () => {})
  closing.push(() => new Promise<void>((resolve) => (session.destroyed ? resolve() : (session.once('close', resolve), session.destroy()))))
  const stream: ClientHttp2Stream = session.request({ ':method': 'POST', ':path': DELTA_PATH, 'content-type': 'application/grpc' })
  stream.on('error', () => {})
  const responses: DeltaDiscoveryResponse[] = []
  const request = (subscribe: readonly string[], responseNonce = ''): void => {
    const rest = { typeUrl: XDS_TYPE.endpoints, unsubscribe: [], initialVersions: new Map<string, string>() }
    stream.write(grpcFrame(encodeDeltaRequest({ ...rest, node: { id, cluster: '', userAgent: '' }, subscribe, responseNonce })))
  }
  request(['a'])
  const read = (): void => {
    const reader = new GrpcReader(16 * 1_024 * KIB)
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) {
        const response = decodeDeltaResponse(message)
        responses.push(response)
        request([], response.nonce)
      }
    })
  }
  return { id, session, stream, responses, request, read }
}

/** First byte of what a proxy was told last. */
const marks = ({ responses }: ReturnType<typeof proxy>): string =>
  responses.map(({ resources }) => String.fromCharCode(resources[0]?.value[0] ?? 0)).join('')

const connected = (xds: XdsServer): string[] => xds.view().flatMap((truth) => (truth.connected ? [truth.proxy] : []))

async function until(test: () => boolean, clock?: FakeClock): Promise<void> {
  for (let tries = 0; !test(); tries++) {
    if (tries > 1_000) throw new Error('did not happen within some seconds')
    // pushes are timers of the clock
    if (clock) await clock.advance(1)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('what waits for clients', () => {
  it('is one response for a client that reads nothing, whatever it confirms, and nothing after it was cut off', async () => {
    const { xds, clock, source, path } = await started({ unreadMs: 30_000 })
    const deaf = proxy(path, 'deaf')
    const good = proxy(path, 'good')
    good.read()
    await until(() => marks(good) === '1' && xds.unread.bytes > 0)
    await until(() => xds.unread.bytes < 2 * SIZE)
    const share = xds.unread.bytes
    expect(share).toBeGreaterThan(SIZE)
    for (const mark of '23456') {
      // what it has not read it confirms, to be sent more
      deaf.request([], '1')
      deaf.request([], '2')
      source.change(mark)
      await until(() => marks(good).endsWith(mark), clock)
      await until(() => xds.unread.bytes === share)
    }
    expect(connected(xds).toSorted()).toEqual(['deaf', 'good'])
    let code = 0
    deaf.stream.on('close', () => (code = deaf.stream.rstCode))
    await clock.advance(61_000)
    deaf.stream.resume()
    await until(() => code !== 0 && xds.unread.bytes === 0)
    // ENHANCE_YOUR_CALM
    expect(code).toBe(11)
    expect(connected(xds)).toEqual(['good'])
    source.change('7')
    await until(() => marks(good).endsWith('7'), clock)
  })

  it('delays others when it is used up, and brings them what is so then, once', async () => {
    const { xds, clock, source, path } = await started({ queuedBytes: SIZE })
    const deaf = proxy(path, 'deaf')
    await until(() => xds.unread.bytes > SIZE)
    const others = ['a', 'b', 'c'].map((id) => proxy(path, id))
    for (const other of others) other.read()
    await until(() => xds.unread.waiting === 3)
    source.change('2')
    await clock.advance(1_000)
    source.change('3')
    await clock.advance(1_000)
    expect(others.map(marks)).toEqual(['', '', ''])
    expect(xds.unread.bytes).toBeLessThan(2 * SIZE)
    deaf.read()
    await until(() => others.every((other) => marks(other) === '3') && marks(deaf) === '13')
    expect(xds.unread).toEqual({ bytes: 0, waiting: 0 })
  })

  it('is given back by clients that go, with or without what waits for them', async () => {
    const { xds, path } = await started({ queuedBytes: SIZE })
    const deaf = proxy(path, 'deaf')
    await until(() => xds.unread.bytes > SIZE)
    const gone = proxy(path, 'gone')
    await until(() => xds.unread.waiting === 1)
    const other = proxy(path, 'other')
    other.read()
    await until(() => xds.unread.waiting === 2)
    gone.session.destroy()
    await until(() => xds.unread.waiting === 1)
    deaf.session.destroy()
    await until(() => marks(other) === '1' && xds.unread.bytes === 0)
    expect(connected(xds)).toEqual(['other'])
  })

  it('leaves a client alone that is slow but reads', async () => {
    const { xds, clock, path } = await started({ unreadMs: 1_000 })
    const slow = proxy(path, 'slow')
    await until(() => xds.unread.bytes > SIZE)
    await clock.advance(900)
    slow.read()
    await until(() => marks(slow) === '1' && xds.unread.bytes === 0)
    await clock.advance(5_000)
    expect(connected(xds)).toEqual(['slow'])
    expect(slow.stream.closed).toBe(false)
  })

  it('ends with the server: those who read are told, and nobody is looked for any more', async () => {
    const { xds, clock, path } = await started()
    const good = proxy(path, 'good')
    good.read()
    proxy(path, 'deaf')
    await until(() => marks(good) === '1' && xds.unread.bytes > 0)
    const trailers = once(good.stream, 'trailers') as Promise<[Record<string, string>]>
    xds.close()
    expect((await trailers)[0]['grpc-status']).toBe('14')
    await until(() => xds.unread.bytes === 0)
    expect(connected(xds)).toEqual([])
    // the pings of two connections
    expect(clock.timers).toBe(2)
  })
})
