import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HpackEncoder } from '../hpack/index.ts'
import { DEFAULT_LIMITS, ErrorCode, Flag, FrameType, Http2Session, PREFACE, Setting, type SessionLimits } from './index.ts'

type Fields = [string, string][]
const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'a'],
]
const POST: Fields = [[':method', 'POST'], ...GET.slice(1)]

function frame(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}
const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
const block = (fields: Fields): Buffer => new HpackEncoder({ tableBytes: 4096 }).encode(fields.map(([name, value]) => [name, value]))
const headers = (id: number, fields: Fields, flags: number = Flag.endStream | Flag.endHeaders): Buffer =>
  frame(FrameType.headers, flags, id, block(fields))
const data = (id: number, payload: Uint8Array, flags = 0): Buffer => frame(FrameType.data, flags, id, payload)
const settings = (...pairs: [number, number][]): Buffer =>
  frame(FrameType.settings, 0, 0, Buffer.concat(pairs.map(([key, value]) => Buffer.concat([Buffer.of(0, key), uint32(value)]))))
const reset = (id: number, code: number): Buffer => frame(FrameType.resetStream, 0, id, uint32(code))
const update = (id: number, more: number): Buffer => frame(FrameType.windowUpdate, 0, id, uint32(more))

interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

/** A session with a log of its events, and its frames as they would go out. */
class Bench {
  readonly log: string[] = []
  readonly session: Http2Session
  nowMs = 1000
  /** Whether DATA is handed on at once. */
  consumes = true
  frames: Frame[] = []

  constructor(isServer = true, limits: Partial<SessionLimits> = {}) {
    this.session = new Http2Session({
      isServer,
      limits: { ...DEFAULT_LIMITS, ...limits },
      nowMs: () => this.nowMs,
      events: {
        onRequest: (stream, fields, ended) => {
          this.log.push(`request ${stream.id} ${fields.get(':method')} ${fields.get(':path')}${ended ? ' end' : ''}`)
          stream.handler = this.handler
        },
        onOutput: () => undefined,
        onCapacity: () => undefined,
        onGoAway: (code) => this.log.push(`goaway ${code}`),
        onEnd: (code, message) => this.log.push(`end ${code}: ${message}`),
        onPong: () => this.log.push('pong'),
      },
    })
    this.session.start()
    if (isServer) this.send(PREFACE, settings())
    else this.send(settings())
    this.taken()
  }

  readonly handler: NonNullable<ReturnType<Http2Session['open']>['handler']> = {
    onHead: (stream, _fields, status, ended) => this.log.push(`head ${stream.id} ${status}${ended ? ' end' : ''}`),
    onData: (stream, _bytes, start, end, ended) => {
      this.log.push(`data ${stream.id} ${end - start}${ended ? ' end' : ''}`)
      if (this.consumes) this.session.consume(stream, end - start)
    },
    onTrailers: (stream, fields) => this.log.push(`trailers ${stream.id} ${fields.count}`),
    onProgress: (stream) => this.log.push(`progress ${stream.id} ${stream.queuedBytes}`),
    onReset: (stream, { code, unprocessed }) => this.log.push(`reset ${stream.id} ${code}${unprocessed ? ' unprocessed' : ''}`),
  }

  send(...frames: Buffer[]): this {
    const bytes = Buffer.concat(frames)
    this.session.receive(bytes, 0, bytes.length)
    return this
  }

  /** Frames that would have been written, from now on. */
  taken(): Frame[] {
    const chunks = this.session.output.take()
    let bytes: Buffer = Buffer.concat(chunks)
    for (const chunk of chunks) this.session.output.release(chunk)
    const frames: Frame[] = []
    for (; bytes.length > 0; bytes = bytes.subarray(9 + bytes.readUIntBE(0, 3))) {
      const payload = Buffer.from(bytes.subarray(9, 9 + bytes.readUIntBE(0, 3)))
      frames.push({ type: bytes[3] as number, flags: bytes[4] as number, id: bytes.readUInt32BE(5), payload })
    }
    return frames
  }

  /** Code of the GOAWAY or RST_STREAM written last. */
  code(): number | undefined {
    const last = this.taken().findLast(({ type }) => type === FrameType.goAway || type === FrameType.resetStream)
    return last?.payload.readUInt32BE(last.type === FrameType.goAway ? 4 : 0)
  }
}

describe('requests', () => {
  test('a request with a body and trailers', () => {
    const bench = new Bench()
    bench.send(headers(1, POST, Flag.endHeaders), data(1, Buffer.from('abc')), headers(1, [['x', '1']]))
    expect(bench.log).toEqual(['request 1 POST /', 'data 1 3', 'trailers 1 1'])
  })

  test('in pieces of any size the same happens', () => {
    const all = Buffer.concat([
      headers(1, POST, Flag.endHeaders),
      data(1, Buffer.alloc(3000)),
      data(1, Buffer.from('b'), Flag.endStream),
      headers(3, GET),
    ])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const bench = new Bench()
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = sizes[i % sizes.length] as number
          bench.session.receive(all, at, Math.min(all.length, at + size))
          at += size
        }
        expect(bench.log).toEqual(['request 1 POST /', 'data 1 3000', 'data 1 1 end', 'request 3 GET / end'])
      }),
      { numRuns: 50 },
    )
  })

  test('a header block in CONTINUATION frames, with padding and priority', () => {
    const bytes = block(GET)
    const bench = new Bench()
    bench.send(
      frame(
        FrameType.headers,
        Flag.endStream | Flag.padded | Flag.priority,
        1,
        Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 9), bytes.subarray(0, 2), Buffer.alloc(2)]),
      ),
      frame(FrameType.continuation, 0, 1, bytes.subarray(2, 3)),
      frame(FrameType.continuation, Flag.endHeaders, 1, bytes.subarray(3)),
    )
    expect(bench.log).toEqual(['request 1 GET / end'])
  })

  test.each<[string, Fields]>([
    ['no :method', GET.slice(1)],
    ['no :path', [...GET.slice(0, 2), ...GET.slice(3)]],
    ['an empty :path', [...GET.slice(0, 2), [':path', ''], [':authority', 'a']]],
    ['a :path with a blank', [...GET.slice(0, 2), [':path', '/a b'], [':authority', 'a']]],
    ['a :path without slash', [...GET.slice(0, 2), [':path', 'a'], [':authority', 'a']]],
    ['no host at all', GET.slice(0, 3)],
    ['two :method', [...GET, [':method', 'GET']]],
    ['an unknown pseudo-header', [...GET, [':x', '1']]],
    ['a pseudo-header after a field', [...GET.slice(0, 3), ['x', '1'], [':authority', 'a']]],
    [':status', [...GET, [':status', '200']]],
    ['an upper-case name', [...GET, ['X-A', '1']]],
    ['a line feed in a value', [...GET, ['x', 'a\nb']]],
    ['connection', [...GET, ['connection', 'close']]],
    ['transfer-encoding', [...GET, ['transfer-encoding', 'chunked']]],
    ['upgrade', [...GET, ['upgrade', 'h2c']]],
    ['te other than trailers', [...GET, ['te', 'gzip']]],
    ['host other than :authority', [...GET, ['host', 'b']]],
    ['two hosts', [...GET, ['host', 'a'], ['host', 'b']]],
    ['an :authority with userinfo', [...GET.slice(0, 3), [':authority', 'u@a']]],
    ['content-length that is no number', [...GET, ['content-length', '+1']]],
    ['two content-lengths', [...GET, ['content-length', '0'], ['content-length', '1']]],
    ['content-length without a body', [...GET, ['content-length', '1']]],
    ['CONNECT with a path', [[':method', 'CONNECT'], ...GET.slice(1)]],
    [':protocol without CONNECT', [...GET, [':protocol', 'websocket']]],
  ])('%s makes a request malformed', (_, fields) => {
    const bench = new Bench()
    bench.send(headers(1, fields))
    expect(bench.log).toEqual([])
    expect(bench.code()).toBe(ErrorCode.protocolError)
    expect(bench.session.streams.size).toBe(0)
    bench.send(headers(3, GET))
    expect(bench.log).toEqual(['request 3 GET / end'])
  })

  test.each([
    ['longer', 'abc', 0],
    ['shorter', 'a', Flag.endStream],
  ])('a body %s than content-length resets the stream', (_, body, flags) => {
    const bench = new Bench()
    bench.send(headers(1, [...POST, ['content-length', '2']], Flag.endHeaders), data(1, Buffer.from(body), flags))
    expect(bench.log.at(-1)).toBe('reset 1 1')
    expect(bench.code()).toBe(ErrorCode.protocolError)
  })
})

describe('rules of the connection', () => {
  const long = Buffer.alloc(16_385)
  test.each<[string, number, Buffer[]]>([
    ['a frame that is too long', ErrorCode.frameSizeError, [data(1, long)]],
    ['DATA on stream 0', ErrorCode.protocolError, [data(0, Buffer.of(1))]],
    ['DATA on an idle stream', ErrorCode.protocolError, [data(1, Buffer.of(1))]],
    ['padding longer than DATA', ErrorCode.protocolError, [headers(1, POST, 4), data(1, Buffer.of(2, 0), Flag.padded)]],
    ['padding longer than HEADERS', ErrorCode.protocolError, [frame(1, Flag.padded | 4, 1, Buffer.of(9, 0))]],
    ['HEADERS on an even stream', ErrorCode.protocolError, [headers(2, GET)]],
    ['a frame within a header block', ErrorCode.protocolError, [headers(1, GET, 1), frame(FrameType.ping, 0, 0, Buffer.alloc(8))]],
    ['CONTINUATION out of the blue', ErrorCode.protocolError, [frame(9, 4, 1)]],
    ['a bad header block', ErrorCode.compressionError, [frame(1, 5, 1, Buffer.of(0x80))]],
    ['PUSH_PROMISE', ErrorCode.protocolError, [frame(5, 4, 1, Buffer.alloc(4))]],
    ['SETTINGS on a stream', ErrorCode.protocolError, [frame(4, 0, 1)]],
    ['SETTINGS of 5 bytes', ErrorCode.frameSizeError, [frame(4, 0, 0, Buffer.alloc(5))]],
    ['SETTINGS ACK with a payload', ErrorCode.frameSizeError, [frame(4, 1, 0, Buffer.alloc(6))]],
    ['ENABLE_PUSH of 2', ErrorCode.protocolError, [settings([Setting.enablePush, 2])]],
    ['MAX_FRAME_SIZE of 1', ErrorCode.protocolError, [settings([Setting.maxFrameSize, 1])]],
    ['INITIAL_WINDOW_SIZE of 2^31', ErrorCode.flowControlError, [settings([Setting.initialWindowSize, 2 ** 31])]],
    ['PING of 7 bytes', ErrorCode.frameSizeError, [frame(6, 0, 0, Buffer.alloc(7))]],
    ['RST_STREAM on an idle stream', ErrorCode.protocolError, [reset(1, 8)]],
    ['RST_STREAM of 3 bytes', ErrorCode.frameSizeError, [headers(1, POST, 4), frame(3, 0, 1, Buffer.alloc(3))]],
    ['WINDOW_UPDATE of 0', ErrorCode.protocolError, [update(0, 0)]],
    ['WINDOW_UPDATE on an idle stream', ErrorCode.protocolError, [update(1, 1)]],
    ['a window of the connection that overflows', ErrorCode.flowControlError, [update(0, 2 ** 31 - 1)]],
    [
      'an initial window that makes a stream overflow',
      ErrorCode.flowControlError,
      [headers(1, POST, 4), update(1, 2 ** 31 - 1 - 65_535), settings([4, 65_536])],
    ],
    ['GOAWAY on a stream', ErrorCode.protocolError, [frame(7, 0, 1, Buffer.alloc(8))]],
  ])('%s ends it', (_, code, frames) => {
    const bench = new Bench()
    bench.send(...frames)
    expect(bench.session.isEnded).toBe(true)
    expect(bench.code()).toBe(code)
    expect(bench.session.streams.size).toBe(0)
  })

  test('HTTP/1.1 bytes are no preface', () => {
    const bench = new Bench()
    const other = new Http2Session({
      isServer: true,
      limits: DEFAULT_LIMITS,
      nowMs: () => 1,
      events: { ...noEvents, onEnd: (code) => bench.log.push(`end ${code}`) },
    })
    const bytes = Buffer.from('GET / HTTP/1.1\r\n')
    other.receive(bytes, 0, bytes.length)
    expect(bench.log).toEqual(['end 1'])
  })

  test('any bytes after the preface end in bounded time, never in an exception', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(12), fc.nat(63), fc.nat(4), fc.uint8Array({ maxLength: 60 })), { maxLength: 30 }), (frames) => {
        const bench = new Bench()
        bench.send(...frames.map(([type, flags, id, payload]) => frame(type, flags, id, payload)))
        expect(bench.session.streams.size).toBeLessThanOrEqual(100)
      }),
      { numRuns: 1000 },
    )
  })
})

const noEvents = {
  onRequest: () => undefined,
  onOutput: () => undefined,
  onCapacity: () => undefined,
  onGoAway: () => undefined,
  onEnd: () => undefined,
  onPong: () => undefined,
}

describe('floods are answered with ENHANCE_YOUR_CALM', () => {
  const block16k = Buffer.alloc(16_384, 0x82)
  const flood = (count: number, make: (i: number) => Buffer[]): Buffer[] => Array.from({ length: count }, (_, i) => make(i)).flat()
  test.each<[string, Buffer[]]>([
    ['rapid reset (CVE-2023-44487)', flood(400, (i) => [headers(i * 2 + 1, GET), reset(i * 2 + 1, 8)])],
    ['CONTINUATION (VU#421644)', [headers(1, GET, 0), ...flood(20, () => [frame(9, 0, 1, Buffer.of(0x82))])]],
    ['a header block without end', [frame(1, 0, 1, block16k), ...flood(4, () => [frame(9, 0, 1, block16k)])]],
    ['SETTINGS (CVE-2019-9515)', flood(2000, () => [settings()])],
    ['PING (CVE-2019-9512)', flood(2000, () => [frame(6, 0, 0, Buffer.alloc(8))])],
    ['PRIORITY (CVE-2019-9513)', flood(2000, () => [frame(2, 0, 1, Buffer.alloc(5))])],
    ['empty DATA (CVE-2019-9518)', [headers(1, POST, 4), ...flood(400, () => [data(1, Buffer.alloc(0))])]],
    ['WINDOW_UPDATE', [headers(1, POST, 4), ...flood(2000, () => [update(1, 1)])]],
    ['unknown frames', flood(2000, () => [frame(77, 0, 0)])],
    ['malformed requests', flood(400, (i) => [headers(i * 2 + 1, GET.slice(1))])],
    ['resets that the peer provokes (CVE-2025-8671)', flood(400, (i) => [headers(i * 2 + 1, POST, 4), update(i * 2 + 1, 0)])],
    ['more streams than allowed', flood(400, (i) => [headers(i * 2 + 1, POST, 4)])],
  ])('%s', (_, frames) => {
    const bench = new Bench()
    for (const one of frames) bench.send(one)
    expect(bench.code()).toBe(ErrorCode.enhanceYourCalm)
    expect(bench.session.isEnded).toBe(true)
    expect(bench.session.streams.size).toBe(0)
  })

  test('a header bomb resets its stream and the connection goes on', () => {
    const bench = new Bench(true, { headerTableBytes: 4096, maxHeaderListBytes: 10_000 })
    const encoder = new HpackEncoder({ tableBytes: 4096 })
    const bomb = encoder.encode([
      ...GET,
      ['x', 'y'.repeat(1900)],
      ...Array.from({ length: 3000 }, (): [string, string] => ['x', 'y'.repeat(1900)]),
    ])
    bench.send(frame(1, 5, 1, bomb))
    expect(bench.code()).toBe(ErrorCode.enhanceYourCalm)
    bench.send(frame(1, 5, 3, encoder.encode(GET.map(([name, value]) => [name, value]))))
    expect(bench.log).toEqual(['request 3 GET / end'])
  })

  test('cancelling streams that lived for a while is no flood', () => {
    const bench = new Bench()
    for (let i = 0; i < 1000; i++) {
      bench.send(headers(i * 2 + 1, GET))
      bench.nowMs += 100
      bench.send(reset(i * 2 + 1, 8))
    }
    expect(bench.session.isEnded).toBe(false)
  })
})

describe('flow control', () => {
  const bytes = Buffer.alloc(200_000, 'x')

  test('what windows do not allow waits, and goes out as they open; trailers last', () => {
    const bench = new Bench()
    bench.send(headers(1, GET))
    const stream = bench.session.streams.get(1) as NonNullable<ReturnType<typeof bench.session.streams.get>>
    bench.session.sender.data(stream, bytes, 0, 100_000, false)
    bench.session.sender.trailers(stream, block([['grpc-status', '0']]), 13)
    const sent = (): number => bench.taken().reduce((sum, { type, payload }) => sum + (type === FrameType.data ? payload.length : 0), 0)
    expect(sent()).toBe(65_535)
    bench.send(update(1, 100_000))
    expect(sent()).toBe(0)
    bench.send(update(0, 10_000))
    expect(sent()).toBe(10_000)
    bench.send(update(0, 100_000))
    const frames = bench.taken()
    expect(frames.at(-1)).toMatchObject({ type: FrameType.headers, flags: 5, id: 1 })
    expect(frames.slice(0, -1).reduce((sum, { payload }) => sum + payload.length, 0)).toBe(24_465)
    expect(bench.session.streams.size).toBe(0)
    expect(bench.session.sender.waitingStreams).toBe(0)
  })

  test('a zero window keeps the queue and nothing else', () => {
    const bench = new Bench()
    bench.send(settings([Setting.initialWindowSize, 0]), headers(1, GET))
    const stream = bench.session.streams.get(1) as NonNullable<ReturnType<typeof bench.session.streams.get>>
    bench.session.sender.data(stream, bytes, 0, 1000, true)
    bench.taken()
    expect(stream.queuedBytes).toBe(1000)
    bench.send(settings([Setting.initialWindowSize, 1000]))
    expect(bench.taken().find(({ type }) => type === FrameType.data)).toMatchObject({ flags: 1, id: 1 })
    expect(bench.session.streams.size).toBe(0)
  })

  test('DATA beyond the window of a stream, of the connection', () => {
    const stream = new Bench(true, { streamWindowBytes: 100 })
    stream.consumes = false
    stream.send(headers(1, POST, 4), data(1, bytes.subarray(0, 101)))
    expect([stream.code(), stream.session.isEnded]).toEqual([ErrorCode.flowControlError, false])
    const connection = new Bench(true, { connectionWindowBytes: 65_535 })
    connection.consumes = false
    connection.send(headers(1, POST, 4), ...Array.from({ length: 5 }, () => data(1, bytes.subarray(0, 16_000))))
    expect([connection.code(), connection.session.isEnded]).toEqual([ErrorCode.flowControlError, true])
  })

  test('DATA of streams that were reset is given back to the connection', () => {
    const bench = new Bench(true, { connectionWindowBytes: 65_535 })
    bench.send(headers(1, POST, 4))
    bench.session.reset(bench.session.streams.get(1) as never, 8)
    bench.taken()
    bench.send(...Array.from({ length: 10 }, () => data(1, bytes.subarray(0, 16_000))))
    expect(bench.session.isEnded).toBe(false)
    expect(bench.taken().filter(({ type, id }) => type === FrameType.windowUpdate && id === 0).length).toBeGreaterThan(2)
  })
})

describe('going away', () => {
  test('a server says so twice: streams on their way in between count', () => {
    const bench = new Bench()
    bench.send(headers(1, GET))
    bench.session.drain()
    const [first, ping] = bench.taken()
    expect(first?.payload.readUInt32BE(0)).toBe(2 ** 31 - 1)
    bench.send(headers(3, GET), frame(FrameType.ping, Flag.ack, 0, ping?.payload as Buffer))
    expect(bench.taken()[0]?.payload.readUInt32BE(0)).toBe(3)
    bench.send(headers(5, GET))
    expect(bench.log).toEqual(['request 1 GET / end', 'request 3 GET / end'])
    for (const id of [1, 3]) bench.session.sender.data(bench.session.streams.get(id) as never, Buffer.alloc(0), 0, 0, true)
    expect(bench.log.at(-1)).toBe('end 0: drained')
  })

  test('streams that a server did not get to are unprocessed, the others go on', () => {
    const bench = new Bench(false)
    for (let i = 0; i < 3; i++) bench.session.open().handler = bench.handler
    bench.send(frame(FrameType.goAway, 0, 0, Buffer.concat([uint32(3), uint32(0)])))
    expect(bench.log).toEqual(['reset 5 0 unprocessed', 'goaway 0'])
    expect(bench.session.canOpen).toBe(false)
    bench.send(reset(1, 7), reset(3, 8))
    expect(bench.log.slice(2)).toEqual(['reset 1 7 unprocessed', 'reset 3 8', 'end 0: drained'])
  })

  test('a stream that another one ends when it hears of GOAWAY is told nothing more', () => {
    const bench = new Bench(false)
    const streams = Array.from({ length: 4 }, () => bench.session.open())
    const heard: number[] = []
    const onReset = ({ id }: { id: number }): void => {
      heard.push(id)
      for (const stream of streams.slice(1)) bench.session.reset(stream, ErrorCode.cancel)
    }
    for (const stream of streams) stream.handler = { ...bench.handler, onReset }
    bench.send(frame(FrameType.goAway, 0, 0, Buffer.concat([uint32(1), uint32(0)])))
    expect(heard).toEqual([3])
    expect(bench.session.streams.size).toBe(1)
  })
})

describe('responses', () => {
  test.each<[string, Fields]>([
    ['no :status', [['x', '1']]],
    [':status of 101', [[':status', '101']]],
    [':status that is no number', [[':status', '2oo']]],
    [
      ':path',
      [
        [':status', '200'],
        [':path', '/'],
      ],
    ],
    [
      'a missing body',
      [
        [':status', '200'],
        ['content-length', '5'],
      ],
    ],
  ])('%s makes a response malformed', (_, fields) => {
    const bench = new Bench(false)
    bench.session.open().handler = bench.handler
    bench.send(headers(1, fields))
    expect(bench.log).toEqual(['reset 1 1'])
    expect(bench.code()).toBe(ErrorCode.protocolError)
  })

  test('informational heads, then a head, data and trailers', () => {
    const bench = new Bench(false)
    const stream = bench.session.open()
    stream.handler = bench.handler
    stream.localEnded = true
    bench.send(
      headers(1, [[':status', '103']], 4),
      headers(1, [[':status', '200']], 4),
      data(1, Buffer.from('a')),
      headers(1, [['grpc-status', '0']]),
    )
    expect(bench.log).toEqual(['head 1 103', 'head 1 200', 'data 1 1', 'trailers 1 1'])
    expect(bench.session.streams.size).toBe(0)
  })
})
