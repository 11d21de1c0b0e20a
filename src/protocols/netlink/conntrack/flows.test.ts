import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MessageCursor, NetlinkFormatError, NetlinkWriter } from '../index.ts'
import { readFlow, writeDeleteFlow, writeGetFlows, type Flow } from './index.ts'

const flow: fc.Arbitrary<Flow> = fc.constantFrom(4 as const, 6 as const).chain((family) => {
  const address = fc.uint8Array({ minLength: family === 4 ? 4 : 16, maxLength: family === 4 ? 4 : 16 })
  const port = fc.nat(65_535)
  const tuple = fc.record({ source: address, destination: address, protocol: fc.nat(255), sourcePort: port, destinationPort: port })
  return fc.record({
    family: fc.constant(family),
    original: tuple,
    reply: tuple,
    mark: fc.nat(0xffff_ffff),
    id: fc.nat(0xffff_ffff),
    zone: fc.nat(65_535),
  })
})

test('flows read as they were written', () => {
  fc.assert(
    fc.property(flow, (given) => {
      const writer = new NetlinkWriter()
      writeDeleteFlow(writer, 1, given, true)
      const cursor = new MessageCursor(writer.finish())
      cursor.next()
      expect([cursor.type, cursor.flags]).toEqual([0x102, 5])
      expect(readFlow(cursor)).toEqual(given)
    }),
  )
})

test('a filter is in the request', () => {
  const size = (filter: Parameters<typeof writeGetFlows>[3]): number => {
    const writer = new NetlinkWriter()
    writeGetFlows(writer, 1, 4, filter)
    return writer.finish().length
  }
  expect([size({}), size({ mark: { value: 1, mask: 1 } }), size({ protocol: 17 })]).toEqual([20, 36, 48])
})

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(flow, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), (given, changes) => {
      const writer = new NetlinkWriter()
      writeDeleteFlow(writer, 1, given, true)
      const bytes = writer.finish().slice()
      for (const [at, to] of changes) if (at >= 20 && at < bytes.length) bytes[at] = to
      const cursor = new MessageCursor(bytes)
      cursor.next()
      try {
        readFlow(cursor)
      } catch (error) {
        expect(error).toBeInstanceOf(NetlinkFormatError)
      }
    }),
    { numRuns: 1000 },
  )
})
