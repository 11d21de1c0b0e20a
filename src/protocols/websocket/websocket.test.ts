import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { answerHandshake, encodeClose, encodeMessage, WebSocketError, WebSocketReader, type WebSocketFrame } from './index.ts'

/** A frame as a client sends it. */
function masked(first: number, payload: Uint8Array): Buffer {
  const mask = Buffer.from([1, 2, 3, 255])
  const { length } = payload
  const head = length > 0xffff ? Buffer.alloc(10) : length > 125 ? Buffer.alloc(4) : Buffer.alloc(2)
  head[0] = first
  head[1] = 0x80 | (head.length === 10 ? 127 : head.length === 4 ? 126 : length)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  return Buffer.concat([head, mask, Buffer.from(payload).map((byte, i) => byte ^ (mask[i & 3] as number))])
}

const pushAll = (bytes: Uint8Array, size: number): WebSocketFrame[] => {
  const reader = new WebSocketReader()
  const read: WebSocketFrame[] = []
  for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)))
  return read
}

describe('frames of a client', () => {
  it('come out as messages however they were cut, in fragments or whole, pings between them', () => {
    const message = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (messages, size) => {
        const wire = messages.flatMap((parts) =>
          parts.flatMap((part, i) => [
            masked((i === parts.length - 1 ? 0x80 : 0) | (i === 0 ? 2 : 0), part),
            masked(0x89, Buffer.from('p')),
          ]),
        )
        const read = pushAll(Buffer.concat(wire), size)
        const got = read.flatMap((frame) => (frame.type === 'message' ? [[...frame.bytes]] : []))
        expect(got).toEqual(messages.map((parts) => parts.flatMap((part) => [...part])))
        expect(read.filter(({ type }) => type === 'ping')).toHaveLength(messages.flat().length)
      }),
    )
  })

  it('of any bytes are read or refused, the same whole or in pieces', () => {
    const some = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 140 })).map(([first, payload]) => masked(first, payload)),
    )
    fc.assert(
      fc.property(fc.array(some, { maxLength: 6 }), fc.integer({ min: 1, max: 20 }), (parts, size) => {
        const wire = Buffer.concat(parts)
        const outcome = (step: number): string => {
          try {
            return JSON.stringify(pushAll(wire, step))
          } catch (error) {
            if (!(error instanceof WebSocketError)) throw error
            return error.message
          }
        }
        expect(outcome(size)).toBe(outcome(Math.max(1, wire.length)))
      }),
    )
  })

  it('may be long', () => {
    expect(pushAll(masked(0x82, Buffer.alloc(70_000, 7)), 9_000)).toEqual([{ type: 'message', bytes: Buffer.alloc(70_000, 7) }])
  })

  it('say why they close', () => {
    expect(pushAll(Buffer.concat([masked(0x8a, Buffer.alloc(0)), masked(0x88, Buffer.from([3, 232]))]), 99)).toEqual([
      { type: 'pong' },
      { type: 'close', code: 1000 },
    ])
    expect(pushAll(masked(0x88, Buffer.alloc(0)), 99)).toEqual([{ type: 'close', code: 1005 }])
  })

  test.each([
    ['no mask', Buffer.from([0x82, 1, 0]), 'not masked'],
    ['an extension', masked(0xc2, Buffer.alloc(1)), 'extension'],
    ['an unknown type', masked(0x83, Buffer.alloc(1)), 'a frame of type 3'],
    ['a ping in pieces', masked(0x09, Buffer.alloc(1)), 'in pieces'],
    ['a long ping', masked(0x89, Buffer.alloc(126)), 'more than 125 bytes'],
    ['a continuation of nothing', masked(0x80, Buffer.alloc(1)), 'out of order'],
    ['a message in another', Buffer.concat([masked(0x02, Buffer.alloc(1)), masked(0x82, Buffer.alloc(1))]), 'out of order'],
    ['half a code', masked(0x88, Buffer.alloc(1)), 'half a code'],
    ['too much', masked(0x82, Buffer.alloc(1_048_577)).subarray(0, 20), 'more than 1048576 bytes'],
  ])('with %s are refused', (_what, bytes, message) => {
    expect(() => pushAll(bytes, 99)).toThrow(message)
  })
})

test('frames of the server have the shortest length and no mask', () => {
  expect([...encodeMessage(Buffer.from('ab'))]).toEqual([0x82, 2, 97, 98])
  expect([...encodeMessage(Buffer.alloc(126)).subarray(0, 4)]).toEqual([0x82, 126, 0, 126])
  expect([...encodeMessage(Buffer.alloc(65_536)).subarray(0, 10)]).toEqual([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])
  expect([...encodeClose(1002, 'no')]).toEqual([0x88, 4, 3, 234, 110, 111])
})

describe('the handshake', () => {
  const headers = {
    // the example of RFC 6455, section 1.3
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'v4.channel.k8s.io, v5.channel.k8s.io',
  }

  it('is answered with the best subprotocol that is offered', () => {
    expect(answerHandshake(headers, ['v5.channel.k8s.io', 'v4.channel.k8s.io'])).toEqual({
      protocol: 'v5.channel.k8s.io',
      headers: {
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        'sec-websocket-protocol': 'v5.channel.k8s.io',
      },
    })
  })

  it.each([
    [{ ...headers, 'sec-websocket-key': 'x' }, 'sec-websocket-key is missing or no 16 bytes in base64'],
    [{ ...headers, 'sec-websocket-version': '8' }, 'the WebSocket version must be 13'],
    [{ ...headers, 'sec-websocket-protocol': undefined }, 'one of the subprotocols a, b must be offered'],
  ])('is refused: %j', (given, problem) => {
    expect(answerHandshake(given, ['a', 'b'])).toEqual({ problem })
  })
})
