import { createHash } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { TimerWheel } from '../src/data-plane/proxy/engine/timer-wheel.ts'
import { forwardTcp, type TcpForwardOptions, type TcpForwarding, type TcpSummary } from '../src/data-plane/proxy/tcp/index.ts'
import { transport, type TransportName } from '../src/data-plane/proxy/transport/choose-transport.ts'
import { poisonReads } from '../src/data-plane/proxy/transport/raw/index.ts'

const LOOPBACK = '127.0.0.1'
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * seed + (i >> 7)) & 0xff
  return bytes
}

/** All that comes until the other end says that it sends no more. */
function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
  })
}

beforeAll(() => poisonReads(true))
afterAll(() => poisonReads(false))

describe.each<TransportName>(['raw', 'sockets'])('TCP through transport %s', (name) => {
  const closers: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function upstream(serve: (socket: Socket) => void): Promise<number> {
    const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
      closers.push(() => socket.destroy())
      serve(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
    closers.unshift(() => new Promise((resolve) => server.close(resolve)))
    return (server.address() as AddressInfo).port
  }

  /** A client behind a forwarder, and what the forwarder says in the end. */
  async function through(port: number, options: Partial<TcpForwardOptions> = {}) {
    const subject = transport(name)
    const wheel = new TimerWheel(systemClock)
    let ended: (summary: TcpSummary) => void = () => {}
    const summary = new Promise<TcpSummary>((resolve) => (ended = resolve))
    const running: TcpForwarding[] = []
    const acceptor = await subject.listen({ host: LOOPBACK, port: 0 }, (accepted) => {
      void subject.dial({ address: { address: LOOPBACK, port }, timeoutMs: 2_000 }).then((connection) => {
        running.push(forwardTcp(accepted.plain(), connection, { wheel, onEnd: ended, ...options }))
      })
    })
    closers.unshift(() => acceptor.close())
    const client = connect({ port: acceptor.port, host: LOOPBACK, allowHalfOpen: true })
    client.on('error', () => {})
    closers.push(
      () => client.destroy(),
      () => running.forEach((one) => one.destroy()),
    )
    return { client, summary, running }
  }

  it.each([
    [0, 0],
    [1, 100_000],
    [100_000, 1],
    [5_000_000, 3_000_000],
  ])('carries %d bytes there and %d back, and the end of each direction by itself', async (there, back) => {
    const [request, response] = [bytesOf(there, 3), bytesOf(back, 5)]
    let heard = ''
    const port = await upstream((socket) => {
      // the answer comes when the question is whole
      void readAll(socket).then((bytes) => {
        heard = digest(bytes)
        socket.end(response)
      })
    })
    const { client, summary } = await through(port)
    client.end(request)
    const answer = await readAll(client)
    expect([heard, digest(answer)]).toEqual([digest(request), digest(response)])
    expect(await summary).toMatchObject({ bytesReceived: there, bytesSent: back, reason: 'done' })
  })

  it('stops reading from a side when the other takes nothing', async () => {
    let reader: Socket | undefined
    const port = await upstream((socket) => {
      socket.pause()
      reader = socket
    })
    const { client, running } = await through(port)
    const step = bytesOf(1_000_000, 7)
    for (let i = 0; i < 64; i++) client.write(step)
    // grows until the sockets' buffers are full, then stands still
    let last = -1
    for (let round = 0; round < 100; round++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      const now = running[0]?.bytesReceived ?? 0
      if (now > 0 && now === last) break
      last = now
    }
    expect(last).toBeGreaterThan(0)
    expect(last).toBeLessThan(32_000_000)
    const heard = { bytes: 0 }
    reader?.on('data', (chunk: Buffer) => (heard.bytes += chunk.length))
    reader?.resume()
    for (let round = 0; round < 100 && heard.bytes < 64_000_000; round++) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(heard.bytes).toBe(64_000_000)
  })

  it('ends both when nothing moves for too long', async () => {
    const port = await upstream(() => {})
    const { client, summary } = await through(port, { idleTimeoutMs: 100 })
    client.write('x')
    expect(await summary).toMatchObject({ reason: 'idle', bytesReceived: 1 })
  })

  it('ends both when one side is reset', async () => {
    const port = await upstream((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const { client, summary } = await through(port)
    const clientGone = new Promise((resolve) => client.resume().once('end', resolve).once('close', resolve))
    client.write('x')
    expect(await summary).toMatchObject({ reason: 'upstream', bytesSent: 0, error: { code: 'ECONNRESET' } })
    await clientGone
  })
})
