import { constants, createDeflate, inflateSync } from 'node:zlib'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SPDY_DICTIONARY } from './dictionary.ts'
import { encodeData, encodePing, encodeReset, SpdyFrameReader, type SpdyFrame } from './frames.ts'
import { emptyHeaderBlock, SpdyHeaderReader } from './headers.ts'
import { SpdySession, type SpdyStream } from './index.ts'

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const control = (kind: number, payload: Buffer, flags = 0): Buffer =>
  Buffer.concat([word(0x8003_0000 + kind), word(flags * 0x0100_0000 + payload.length), payload])

/** The headers of one connection as a client compresses them. */
async function compress(blocks: readonly Readonly<Record<string, string>>[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY })
  const compressed: Buffer[] = []
  for (const fields of blocks) {
    const pairs = Object.entries(fields).flat()
    const raw = Buffer.concat([word(pairs.length / 2), ...pairs.flatMap((text) => [word(Buffer.byteLength(text)), Buffer.from(text)])])
    const chunks: Buffer[] = []
    const collect = (chunk: Buffer): void => void chunks.push(chunk)
    deflate.on('data', collect)
    deflate.write(raw)
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve))
    await new Promise(setImmediate)
    deflate.off('data', collect)
    compressed.push(Buffer.concat(chunks))
  }
  return compressed
}

const open = (id: number, headers: Buffer, flags = 0): Buffer =>
  control(1, Buffer.concat([word(id), word(0), Buffer.from([0, 0]), headers]), flags)

describe('frames', () => {
  it('come out the same however the bytes were cut', () => {
    const payload = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100), payload, fc.boolean())), fc.integer({ min: 1, max: 50 }), (sent, size) => {
        const wire = Buffer.concat(sent.map(([stream, bytes, fin]) => encodeData(stream, bytes, fin)))
        const reader = new SpdyFrameReader()
        const read: SpdyFrame[] = []
        for (let at = 0; at < wire.length; at += size) read.push(...reader.push(wire.subarray(at, at + size)))
        const expected = sent.filter(([, bytes, fin]) => bytes.length > 0 || fin)
        expect(read.map((frame) => frame.type === 'data' && [frame.stream, [...frame.bytes], frame.fin])).toEqual(
          expected.map(([stream, bytes, fin]) => [stream, [...bytes], fin]),
        )
      }),
    )
  })

  it('of a long write are cut, and only the last ends the stream', () => {
    const frames = new SpdyFrameReader().push(encodeData(3, Buffer.alloc(150_000, 1), true))
    expect(frames.map((frame) => frame.type === 'data' && [frame.bytes.length, frame.fin])).toEqual([
      [65_536, false],
      [65_536, false],
      [18_928, true],
    ])
  })

  it('never make the reader throw anything but a SpdyError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          new SpdyFrameReader().push(bytes)
        } catch (error) {
          expect((error as Error).name).toBe('SpdyError')
        }
      }),
    )
  })

  it.each([
    ['another version', Buffer.concat([word(0x8002_0001), word(0)]), 'SPDY version 2 where 3 is spoken'],
    [
      'a control frame that is too long',
      Buffer.concat([word(0x8003_0001), word(20_000)]),
      'a frame of 20000 bytes where 16384 are allowed',
    ],
    ['a data frame that is too long', Buffer.concat([word(1), word(0xffffff)]), 'a frame of 16777215 bytes where 1048576 are allowed'],
    ['a ping without its number', control(6, Buffer.alloc(2)), 'a control frame of type 6 with 2 bytes where 4 are needed'],
  ])('refuse %s', (_what, bytes, message) => {
    expect(() => new SpdyFrameReader().push(bytes)).toThrow(message)
  })
})

describe('header blocks', () => {
  it('of one connection are read in order', async () => {
    const blocks = [{ StreamType: 'error' }, { streamtype: 'stdout', port: '80' }, {}]
    const reader = new SpdyHeaderReader()
    const read = (await compress(blocks)).map((block) => Object.fromEntries(reader.read(block)))
    expect(read).toEqual([{ streamtype: 'error' }, { streamtype: 'stdout', port: '80' }, {}])
  })

  it('that are broken, cut off or a bomb are refused', async () => {
    expect(() => new SpdyHeaderReader().read(Buffer.from('nonsense'))).toThrow('cannot be inflated')
    expect(() => new SpdyHeaderReader().read(Buffer.alloc(70_000))).toThrow('more than 65536 bytes of headers')
    const [bomb] = await compress([{ a: 'x'.repeat(300_000) }])
    expect(() => new SpdyHeaderReader().read(bomb as Buffer)).toThrow('cannot be inflated')
    const [whole] = await compress([{ a: 'b' }])
    expect(() => new SpdyHeaderReader().read((whole as Buffer).subarray(0, 4))).toThrow('header block')
  })

  it('without fields inflate to a zero count, each of them at once', () => {
    const both = Buffer.concat([emptyHeaderBlock(true), emptyHeaderBlock(false)])
    expect([...inflateSync(both, { dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })]).toEqual(Array(8).fill(0))
  })

  it('have the dictionary of the draft', () => {
    expect(SPDY_DICTIONARY).toHaveLength(1423)
    let [low, high] = [1, 0]
    for (const byte of SPDY_DICTIONARY) {
      low = (low + byte) % 65_521
      high = (high + low) % 65_521
    }
    expect(high * 65_536 + low).toBe(0xe3c6a7c2)
  })
})

describe('a session', () => {
  /** A session, what it wrote, and the streams that it opened. */
  function start(maxStreams?: number): {
    readonly socket: Duplex
    readonly session: SpdySession
    readonly written: () => Buffer
    readonly streams: SpdyStream[]
  } {
    const chunks: Buffer[] = []
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk)
        done()
      },
    })
    socket.on('error', () => {})
    const streams: SpdyStream[] = []
    const onStream = (stream: SpdyStream): void => void streams.push(stream)
    const session = new SpdySession(socket, { onStream, ...(maxStreams === undefined ? {} : { maxStreams }) })
    return { socket, session, streams, written: () => Buffer.concat(chunks.splice(0)) }
  }

  const settled = (): Promise<void> => new Promise(setImmediate)

  it('answers streams and pings, writes, and says goodbye', async () => {
    const { socket, session, streams, written } = start()
    const [first, second] = (await compress([{ streamtype: 'error' }, { streamtype: 'stdout' }])) as [Buffer, Buffer]
    socket.push(Buffer.concat([open(1, first, 1), open(3, second), control(6, word(7)), control(6, word(2))]))
    await settled()
    expect(streams.map(({ id, headers }) => [id, headers.get('streamtype')])).toEqual([
      [1, 'error'],
      [3, 'stdout'],
    ])
    expect(written()).toEqual(
      Buffer.concat([
        control(2, Buffer.concat([word(1), emptyHeaderBlock(true)])),
        control(2, Buffer.concat([word(3), emptyHeaderBlock(false)])),
        encodePing(7),
      ]),
    )
    await streams[1]?.write(Buffer.from('hi'))
    for (const stream of streams) stream.end()
    // nothing after the end
    await streams[1]?.write(Buffer.from('late'))
    session.close()
    await settled()
    const goodbye = control(7, Buffer.concat([word(3), word(0)]))
    expect(written()).toEqual(
      Buffer.concat([
        encodeData(3, Buffer.from('hi'), false),
        encodeData(1, Buffer.alloc(0), true),
        encodeData(3, Buffer.alloc(0), true),
        goodbye,
      ]),
    )
  })

  it('refuses streams beyond its limit and writes nothing on those that are cancelled', async () => {
    const { socket, streams, written } = start(1)
    const [first, second] = (await compress([{ a: '1' }, { a: '2' }])) as [Buffer, Buffer]
    socket.push(Buffer.concat([open(1, first), open(3, second), encodeReset(1, 5)]))
    await settled()
    await streams[0]?.write(Buffer.from('x'))
    expect(streams).toHaveLength(1)
    expect(written().subarray(-16)).toEqual(encodeReset(3, 3))
  })

  it.each([
    ['no SPDY', Buffer.from('GET / HTTP/1.1\r\n\r\n\0\0\0')],
    ['an even stream', open(2, emptyHeaderBlock(true))],
  ])('ends with %s', async (_what, bytes) => {
    const { socket } = start()
    socket.push(bytes)
    await settled()
    expect(socket.destroyed).toBe(true)
  })
})
