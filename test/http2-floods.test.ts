import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { HpackEncoder } from '../src/protocols/hpack/index.ts'
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from '../src/protocols/http2/index.ts'
import { type MiniProxy, startMiniProxy } from './http2-proxy/mini-proxy.ts'

function frame(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}
const uint32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])
const block = new HpackEncoder({ tableBytes: 4096 }).encode([
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
])
const get = (id: number): Buffer => frame(FrameType.headers, Flag.endStream | Flag.endHeaders, id, block)
const many = (count: number, make: (i: number) => Buffer[]): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)).flat())
const hello = (windowBytes = 65_535): Buffer =>
  Buffer.concat([PREFACE, frame(FrameType.settings, 0, 0, Buffer.concat([Buffer.of(0, Setting.initialWindowSize), uint32(windowBytes)]))])

describe('a client that means ill, over a real connection', () => {
  const upstream = http2.createServer((_request, response) => response.end(Buffer.alloc(100_000)))
  let proxy: MiniProxy

  beforeAll(async () => {
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    proxy = await startMiniProxy((upstream.address() as AddressInfo).port, { serve: { times: { stallTimeoutMs: 300 } } })
  })
  afterAll(async () => {
    await proxy.close()
    upstream.close()
  })

  /** Sends bytes, returns what came back until the connection was closed. */
  const send = (bytes: Buffer): Promise<Buffer> =>
    new Promise((resolve) => {
      const chunks: Buffer[] = []
      const socket = net.connect(proxy.port, '127.0.0.1', () => socket.write(bytes))
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(Buffer.concat(chunks)))
    })
  const goAwayCode = (bytes: Buffer): number | undefined => {
    for (let at = 0; at + 17 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
      if (bytes[at + 3] === FrameType.goAway) return bytes.readUInt32BE(at + 13)
    return undefined
  }

  test.each([
    ['rapid reset', many(400, (i) => [get(i * 2 + 1), frame(FrameType.resetStream, 0, i * 2 + 1, uint32(8))])],
    ['CONTINUATION', Buffer.concat([frame(FrameType.headers, 0, 1, block), many(100, () => [frame(FrameType.continuation, 0, 1)])])],
    ['PING', many(3000, () => [frame(FrameType.ping, 0, 0, Buffer.alloc(8))])],
    ['SETTINGS', many(3000, () => [frame(FrameType.settings, 0, 0)])],
  ])('%s ends with ENHANCE_YOUR_CALM, and nothing is left', async (_, flood) => {
    expect(goAwayCode(await send(Buffer.concat([hello(), flood])))).toBe(ErrorCode.enhanceYourCalm)
    await vi.waitFor(() => {
      expect(proxy.endpoint.activeRequests).toBe(0)
      expect(proxy.served.size).toBe(0)
    })
  })

  test('windows of zero end with the connection, and the upstream is let go', async () => {
    await send(Buffer.concat([hello(0), get(1), get(3)]))
    await vi.waitFor(() => {
      expect(proxy.endpoint.activeRequests).toBe(0)
      expect(proxy.served.size).toBe(0)
    })
  })
})
