import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AttributeCursor, MessageCursor, NetlinkFormatError, NetlinkWriter, readAcknowledgement } from './index.ts'

type Tree = { readonly type: number; readonly value: Uint8Array | readonly Tree[] }

const tree: fc.Arbitrary<readonly Tree[]> = fc.letrec<{ list: readonly Tree[]; node: Tree }>((tie) => ({
  list: fc.array(tie('node'), { maxLength: 4, depthIdentifier: 'netlink' }),
  node: fc.record({
    type: fc.integer({ min: 0, max: 0x3fff }),
    value: fc.oneof({ depthIdentifier: 'netlink', maxDepth: 4 }, fc.uint8Array({ maxLength: 20 }), tie('list')),
  }),
})).list

const message = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  flags: fc.integer({ min: 0, max: 0xffff }),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  head: fc.uint8Array({ maxLength: 9 }),
  attributes: tree,
})

function write(writer: NetlinkWriter, attributes: readonly Tree[]): void {
  for (const { type, value } of attributes) {
    if (value instanceof Uint8Array) writer.bytes(type, value)
    else {
      const nest = writer.open(type)
      write(writer, value)
      writer.close(nest)
    }
  }
}

/** Reads in the shape of what was written: attributes do not say whether they hold attributes. */
function read(cursor: AttributeCursor, shape: readonly Tree[]): Tree[] {
  const found: Tree[] = []
  while (cursor.next()) {
    const isNest = !(shape[found.length]?.value instanceof Uint8Array)
    found.push({
      type: cursor.type,
      value: isNest ? read(cursor.nested(), (shape[found.length]?.value ?? []) as readonly Tree[]) : cursor.value(),
    })
  }
  return found
}

describe('netlink messages', () => {
  test('read as they were written, many in one buffer', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const writer = new NetlinkWriter(8)
        for (const { type, flags, sequence, head, attributes } of messages) {
          writer.message(type, flags, sequence)
          writer.head(head)
          write(writer, attributes)
        }
        const bytes = writer.finish()
        expect(bytes.length % 4).toBe(0)
        const cursor = new MessageCursor(bytes)
        for (const { type, flags, sequence, head, attributes } of messages) {
          expect(cursor.next()).toBe(true)
          expect([cursor.type, cursor.flags, cursor.sequence]).toEqual([type, flags, sequence])
          expect(bytes.slice(cursor.start, cursor.start + head.length)).toEqual(head)
          const behindHead = cursor.start + ((head.length + 3) & ~3)
          expect(read(new AttributeCursor(bytes, behindHead, cursor.end), attributes)).toEqual(attributes)
        }
        expect(cursor.next()).toBe(false)
      }),
    )
  })

  test('any bytes end, or are refused', () => {
    const walk = (cursor: AttributeCursor, depth: number): void => {
      while (cursor.next()) {
        cursor.string()
        if (depth < 3) walk(cursor.nested(), depth + 1)
        cursor.u64be()
      }
    }
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), closeToValid()), (bytes) => {
        try {
          const cursor = new MessageCursor(bytes)
          while (cursor.next()) {
            if (cursor.type === 2 || cursor.type === 3) readAcknowledgement(cursor)
            walk(new AttributeCursor(bytes, cursor.start, cursor.end), 0)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkFormatError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('what was rewound is gone, and its bytes do not show in paddings', () => {
    const writer = new NetlinkWriter()
    writer.message(1, 0, 0)
    const before = writer.length
    writer.bytes(1, new Uint8Array(8).fill(255))
    writer.rewind(before)
    writer.u8(2, 7)
    expect([...writer.finish()].slice(16)).toEqual([5, 0, 2, 0, 7, 0, 0, 0])
  })

  test('an attribute that its length field cannot count is refused', () => {
    const writer = new NetlinkWriter()
    writer.message(1, 0, 0)
    expect(() => writer.bytes(1, new Uint8Array(65_532))).toThrow(RangeError)
    const nest = writer.open(1)
    writer.bytes(1, new Uint8Array(40_000))
    writer.bytes(1, new Uint8Array(40_000))
    expect(() => writer.close(nest)).toThrow(RangeError)
  })
})

/** One message whose bytes have been tampered with in a few places: it reaches further into the readers than noise does. */
function closeToValid(): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(300), to: fc.integer({ min: 0, max: 255 }) })
  return fc.tuple(message, fc.array(change, { maxLength: 4 }), fc.constantFrom(2, 3, 24)).map(([given, changes, type]) => {
    const writer = new NetlinkWriter()
    writer.message(type, given.flags, given.sequence)
    writer.head(given.head)
    write(writer, given.attributes)
    const bytes = writer.finish().slice()
    for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to
    return bytes
  })
}

describe('acknowledgements', () => {
  const acknowledgement = (flags: number, errno: number, request: Uint8Array, details: (writer: NetlinkWriter) => void): MessageCursor => {
    const writer = new NetlinkWriter()
    writer.message(2, flags, 9)
    writer.head([errno & 255, (errno >> 8) & 255, (errno >> 16) & 255, (errno >> 24) & 255])
    writer.head(request)
    details(writer)
    const cursor = new MessageCursor(writer.finish())
    cursor.next()
    return cursor
  }
  const head = Uint8Array.from([20, 0, 0, 0, ...Array.from({ length: 12 }, () => 0)])

  test.each([
    ['all went well', 0x100, 0, head, { sequence: 9, errno: 0 }],
    ['an error', 0x100, -17, head, { sequence: 9, errno: 17 }],
  ])('%s', (_name, flags, errno, request, wanted) => {
    expect(readAcknowledgement(acknowledgement(flags, errno, request, () => {}))).toEqual(wanted)
  })

  test.each([
    ['behind the head of the request', 0x300, head],
    ['behind all of the request', 0x200, Uint8Array.from([...head, 1, 2, 3, 4])],
  ])('the words of the kernel, %s', (_name, flags, request) => {
    const cursor = acknowledgement(flags, -22, request, (writer) => {
      writer.string(1, 'Invalid prefix length')
      writer.u32(2, 36)
      writer.u32(5, 4)
    })
    expect(readAcknowledgement(cursor)).toEqual({ sequence: 9, errno: 22, message: 'Invalid prefix length', offset: 36, missingType: 4 })
  })
})
