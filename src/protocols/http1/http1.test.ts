import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BAD_REQUESTS, BAD_RESPONSES, GOOD_REQUESTS } from './framing-cases.ts'
import { ChunkDecoder, HeadReader, Http1Error, parseRequestHead, parseResponseHead, type BodyFraming, type FieldPairs } from './index.ts'

interface Message {
  readonly head: ReturnType<typeof parseRequestHead> | ReturnType<typeof parseResponseHead>
  readonly body: string
  readonly trailers: FieldPairs
}

/** Reads one message from bytes that come in pieces; undefined: it is not whole. */
function read(bytes: Buffer, pieces: readonly number[], parse: (text: string) => Message['head']): Message | undefined {
  const reader = new HeadReader()
  const chunks = new ChunkDecoder()
  let head: Message['head'] | undefined
  let body = ''
  let rest = 0
  let start = 0
  for (const end of [...pieces, bytes.length]) {
    let at = start
    start = end
    if (!head) {
      const found = reader.read(bytes, at, end)
      if (!found) continue
      head = parse(found.text)
      at = found.end
      rest = head.framing.type === 'length' ? head.framing.bytes : 0
    }
    if (head.framing.type === 'chunked')
      chunks.decode(bytes, at, end, { onData: (buffer, from, to) => (body += buffer.toString('latin1', from, to)) })
    else if (rest > 0) {
      body += bytes.toString('latin1', at, Math.min(end, at + rest))
      rest -= Math.min(end - at, rest)
    }
    if (isDone(head.framing, rest, chunks)) return { head, body, trailers: chunks.trailers }
  }
  return undefined
}

function isDone(framing: BodyFraming, rest: number, chunks: ChunkDecoder): boolean {
  return framing.type === 'chunked' ? chunks.isDone : rest === 0
}

const request1 = (text: string): Message['head'] => parseRequestHead(text)
const response1 = (text: string): Message['head'] => parseResponseHead(text, 'GET')
const everyByte = (bytes: Buffer): number[] => Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
const everySeventh = (bytes: Buffer): number[] => everyByte(bytes).filter((at) => at % 7 === 0)
const cuts = { whole: () => [], 'byte by byte': everyByte, 'in sevens': everySeventh }

for (const [how, cut] of Object.entries(cuts)) {
  describe(`messages ${how}`, () => {
    it.each(BAD_REQUESTS)('request refused: $name', ({ bytes }) => {
      const buffer = Buffer.from(bytes, 'latin1')
      expect(() => read(buffer, cut(buffer), request1)).toThrow(Http1Error)
    })
    it.each(BAD_RESPONSES)('response refused: $name', ({ bytes }) => {
      const buffer = Buffer.from(bytes, 'latin1')
      expect(() => read(buffer, cut(buffer), response1)).toThrow(Http1Error)
    })
    it.each(GOOD_REQUESTS)('request taken: $name', ({ bytes }) => {
      const buffer = Buffer.from(bytes, 'latin1')
      expect(read(buffer, cut(buffer), request1)).toBeDefined()
    })
  })
}

describe('what is read', () => {
  const head = (text: string): ReturnType<typeof parseRequestHead> => parseRequestHead(text)

  it('the parts of a request, without what is for the connection alone', () => {
    expect(
      head(
        'GET /a?b HTTP/1.1\r\nHost: x:80\r\nAccept:  */* \r\nConnection: keep-alive, X-Mine, te\r\nX-Mine: 1\r\nTE: trailers, gzip\r\nKeep-Alive: 5\r\n\r\n',
      ),
    ).toMatchObject({
      method: 'GET',
      target: '/a?b',
      authority: 'x:80',
      isHttp10: false,
      fields: ['accept', '*/*', 'te', 'trailers'],
      framing: { type: 'none' },
      keepAlive: true,
      close: false,
    })
  })

  it('an absolute target says more than Host', () => {
    expect(head('GET HTTP://B.example/x HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({
      authority: 'B.example',
      target: '/x',
      scheme: 'http',
    })
    expect(head('GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n').target).toBe('/?q')
  })

  it('upgrades only where both fields ask for them', () => {
    expect(head('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n').upgrade).toBe('websocket')
    expect(head('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n').upgrade).toBeUndefined()
  })

  it.each([
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { type: 'length', bytes: 5 }],
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', { type: 'none' }],
    ['GET', 'HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n', { type: 'none' }],
    ['GET', 'HTTP/1.1 204\r\nTransfer-Encoding: chunked\r\n\r\n', { type: 'none' }],
    ['GET', 'HTTP/1.1 200 OK\r\n\r\n', { type: 'close' }],
    ['GET', 'HTTP/1.0 200 OK\r\n\r\n', { type: 'close' }],
    ['GET', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', { type: 'chunked' }],
    ['GET', 'HTTP/1.1 100 Continue\r\n\r\n', { type: 'none' }],
  ])('how the answer to %s %j ends', (method, text, framing) => expect(parseResponseHead(text, method).framing).toEqual(framing))

  it('trailers, but none that would change the message', () => {
    const bytes = Buffer.from(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 0\r\nContent-Length: 9\r\n\r\n',
    )
    expect(read(bytes, [], request1)).toMatchObject({ body: 'abc', trailers: ['grpc-status', '0'] })
  })

  it('nothing behind the end of a body', () => {
    const chunks = new ChunkDecoder()
    const bytes = Buffer.from('1\r\na\r\n0\r\n\r\nGET / HTTP/1.1')
    expect(chunks.decode(bytes, 0, bytes.length, { onData: () => {} })).toBe(bytes.indexOf('GET'))
  })

  it('heads up to a size, fields up to a number', () => {
    const big = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}`)
    expect(() => new HeadReader().read(big, 0, big.length)).toThrow(/longer than 65536/)
    const many = `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(300)}\r\n`
    expect(() => head(many)).toThrow(/more than 200 fields/)
    expect(new Http1Error('HeadTooLarge', '').status).toBe(431)
  })
})

describe('whatever comes', () => {
  it('is read or refused, the same whole or in pieces', () => {
    const alphabet = fc.constantFrom(
      'GET',
      ' ',
      '/',
      ' HTTP/1.1',
      '\r\n',
      '\r',
      '\n',
      'Host: a',
      'Content-Length: ',
      '3',
      'Transfer-Encoding: chunked',
      '0',
      'abc',
      ':',
      '\t',
      '\0',
      ';',
      'X',
    )
    const text = fc.oneof(
      fc.array(alphabet, { maxLength: 25 }).map((parts) => parts.join('')),
      fc
        .array(alphabet, { maxLength: 15 })
        .map((parts) => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${parts.join('')}`),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    )
    const outcome = (bytes: Buffer, pieces: readonly number[]): unknown => {
      try {
        return read(bytes, pieces, request1)
      } catch (error) {
        expect(error).toBeInstanceOf(Http1Error)
        return 'refused'
      }
    }
    fc.assert(
      fc.property(text, fc.array(fc.nat(100), { maxLength: 5 }), (input, points) => {
        const bytes = Buffer.from(input, 'latin1')
        const pieces = [...new Set(points.map((point) => point % (bytes.length + 1)))].sort((a, b) => a - b)
        expect(outcome(bytes, pieces)).toEqual(outcome(bytes, []))
      }),
      { numRuns: 2000 },
    )
  })

  it("nothing is taken that Node's strict parser refuses", async () => {
    const refused: string[] = []
    const server = createServer((_request, response) => response.end())
    server.on('clientError', (_error, socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    for (const { name, bytes } of GOOD_REQUESTS) {
      const answer = await new Promise<string>((resolve) => {
        let said = ''
        const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
        socket.on('data', (data: Buffer) => {
          said += data.toString()
          socket.destroy()
        })
        socket.on('error', () => {})
        socket.on('close', () => resolve(said))
      })
      if (!answer.startsWith('HTTP/1.1 200')) refused.push(name)
    }
    await new Promise((resolve) => server.close(resolve))
    expect(refused).toEqual([])
  })
})
