import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageDecoder, ProtobufError, readFields, type FieldShape } from './index.ts'

const field = (number: number, name: string, type: string, more: Partial<FieldShape> = {}): FieldShape => ({
  number,
  name,
  type,
  map: false,
  repeated: false,
  zeroIsAbsent: false,
  inline: false,
  ...more,
})

const SHAPES: Record<string, readonly FieldShape[]> = {
  Outer: [
    field(1, 'name', 'string', { zeroIsAbsent: true }),
    field(2, 'count', 'int'),
    field(3, 'labels', 'string', { map: true }),
    field(4, 'items', 'Inner', { repeated: true }),
    field(5, 'inlined', 'Inner', { inline: true }),
    field(6, 'data', 'bytes'),
    field(7, 'on', 'bool', { zeroIsAbsent: true }),
    field(8, 'when', 'Time'),
    field(9, 'numbers', 'int', { repeated: true }),
    field(10, 'self', 'Outer'),
  ],
  Inner: [field(1, 'key', 'string'), field(2, 'size', 'int', { zeroIsAbsent: true })],
}
const decoder = new MessageDecoder({
  shapes: (name) => SHAPES[name],
  special: { Time: (bytes) => (bytes.length === 0 ? undefined : 'time') },
  maxDepth: 20,
})

const varint = (value: bigint): number[] => (value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)])
const number = (id: number, value: bigint): Buffer => Buffer.from([...varint(BigInt(id << 3)), ...varint(BigInt.asUintN(64, value))])
const bytes = (id: number, value: Uint8Array | string): Buffer => {
  const content = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([...varint(BigInt((id << 3) | 2)), ...varint(BigInt(content.length))]), content])
}

describe('message decoder', () => {
  test.each([
    ['a string', bytes(1, 'a'), { name: 'a' }],
    ['a zero that means "not set"', bytes(1, ''), {}],
    ['a zero that was set', number(2, 0n), { count: 0 }],
    ['a negative number', number(2, -5n), { count: -5 }],
    ['an integer beyond 2^53 exactly', number(2, 9_223_372_036_854_775_807n), { count: 9_223_372_036_854_775_807n }],
    [
      'a map',
      Buffer.concat([bytes(3, Buffer.concat([bytes(1, 'k'), bytes(2, 'v')])), bytes(3, bytes(1, 'empty'))]),
      { labels: { k: 'v', empty: '' } },
    ],
    ['repeated messages', Buffer.concat([bytes(4, bytes(1, 'x')), bytes(4, number(2, 7n))]), { items: [{ key: 'x' }, { size: 7 }] }],
    ['a message that JSON inlines', bytes(5, Buffer.concat([bytes(1, 'x'), number(2, 1n)])), { key: 'x', size: 1 }],
    ['bytes as base64', bytes(6, Buffer.from([1, 2, 255])), { data: 'AQL/' }],
    ['a special message', bytes(8, number(1, 1n)), { when: 'time' }],
    ['a special message that is not set', bytes(8, ''), {}],
    ['packed numbers', bytes(9, Buffer.from([1, ...varint(300n)])), { numbers: [1, 300] }],
    ['numbers one by one', Buffer.concat([number(9, 1n), number(9, 2n)]), { numbers: [1, 2] }],
    ['unknown fields', number(99, 1n), {}],
  ])('reads %s', (_what, message, expected) => {
    expect(decoder.decode('Outer', message)).toEqual(expected)
  })

  test('a map key __proto__ is plain data', () => {
    const decoded = decoder.decode('Outer', bytes(3, Buffer.concat([bytes(1, '__proto__'), bytes(2, 'v')])))
    expect(Object.getOwnPropertyNames(decoded['labels'])).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['v']).toBeUndefined()
  })

  test.each([
    ['a truncated number', Buffer.from([0x10, 0x80])],
    ['a field longer than its message', Buffer.from([0x0a, 0x05, 0x61])],
    ['a group', Buffer.from([0x0b])],
    ['field number 0', Buffer.from([0x00, 0x00])],
    ['a number of eleven bytes', Buffer.from([0x10, ...Array.from({ length: 11 }, () => 0xff)])],
    ['text that is not UTF-8', bytes(1, Buffer.from([0xff, 0xfe]))],
    ['a number where bytes belong', number(1, 1n)],
  ])('refuses %s', (_what, message) => {
    expect(() => decoder.decode('Outer', message)).toThrow(ProtobufError)
  })

  test('refuses messages nested too deep', () => {
    let message: Buffer = Buffer.alloc(0)
    for (let i = 0; i < 30; i++) message = bytes(10, message)
    expect(() => decoder.decode('Outer', message)).toThrow('nested deeper than 20')
  })

  test('no bytes whatever end in anything but a value or a ProtobufError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        try {
          decoder.decode('Outer', input)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError)
        }
      }),
    )
  })

  test('fields come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: 1000 }),
            fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.uint8Array({ maxLength: 50 })),
          ),
        ),
        (fields) => {
          const wire = Buffer.concat(fields.map(([id, value]) => (typeof value === 'bigint' ? number(id, value) : bytes(id, value))))
          const read = [...readFields(wire)].map(({ number: id, value }) => [id, typeof value === 'bigint' ? value : [...value]])
          expect(read).toEqual(fields.map(([id, value]) => [id, typeof value === 'bigint' ? value : [...value]]))
        },
      ),
    )
  })
})
