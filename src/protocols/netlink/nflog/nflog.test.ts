import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MessageCursor, NetlinkFormatError, NetlinkWriter } from '../index.ts'
import { encodeBindGroup, readLoggedPacket, readPacketTuple } from './index.ts'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const IPV4 = '45000028 00000000 40060000 0a000001 0a000002'
const IPV6 = (next: string): string => `60000000 0020${next}40 fd000000000000000000000000000001 fd000000000000000000000000000002`

describe('who talks to whom', () => {
  test.each<[string, string, object | undefined]>([
    ['TCP', `${IPV4} 1f900050`, { protocol: 6, sourcePort: 8080, destinationPort: 80, lengthBytes: 40 }],
    [
      'UDP behind options',
      '4600001c 00000000 40110000 0a000001 0a000002 01010101 00350036',
      { protocol: 17, sourcePort: 53, destinationPort: 54 },
    ],
    ['SCTP', '45000028 00000000 40840000 0a000001 0a000002 00010002', { protocol: 132, sourcePort: 1, destinationPort: 2 }],
    ['ICMP', '45000028 00000000 40010000 0a000001 0a000002 0800', { protocol: 1, icmpType: 8, icmpCode: 0 }],
    ['a later fragment has no ports', '45000028 00002001 40060000 0a000001 0a000002 1f900050', { protocol: 6, lengthBytes: 40 }],
    ['a head without what follows', IPV4, { protocol: 6, lengthBytes: 40 }],
    ['IPv6 and TCP', `${IPV6('06')} 1f900050`, { protocol: 6, sourcePort: 8080, destinationPort: 80, lengthBytes: 72 }],
    ['ICMPv6', `${IPV6('3a')} 8000`, { protocol: 58, icmpType: 128, icmpCode: 0 }],
    [
      'IPv6 with options and a first fragment',
      `${IPV6('00')} 2c00000000000000 1100000100000000 00350036`,
      { protocol: 17, sourcePort: 53, destinationPort: 54 },
    ],
    ['IPv6, a later fragment', `${IPV6('2c')} 1100000900000000 00350036`, { protocol: 17 }],
    ['neither', '00112233', undefined],
    ['half a head', IPV4.slice(0, 20), undefined],
    ['a head that says it is shorter than one', `41${IPV4.slice(2)}`, undefined],
  ])('%s', (_name, packet, wanted) => {
    const read = readPacketTuple(bytes(packet))
    if (!wanted) expect(read).toBeUndefined()
    else {
      expect(read).toMatchObject(wanted)
      if (!('sourcePort' in wanted)) expect(read).not.toHaveProperty('sourcePort')
    }
  })

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x45, 0x4f, 0x60), fc.uint8Array({ maxLength: 120 }), (first, rest) => {
        readPacketTuple(Uint8Array.from([first, ...rest]))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('logged packets', () => {
  test('what comes with a packet', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 60 }),
        fc.nat(0xffff_ffff),
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(4_000_000),
        (prefix, mark, payload, time) => {
          const writer = new NetlinkWriter()
          writer.message(0x400, 0, 0)
          writer.head([2, 0, 0, 5])
          writer.bytes(1, Uint8Array.from([8, 0, 2, 0]))
          writer.u32be(2, mark)
          writer.bytes(3, bytes(`${time.toString(16).padStart(16, '0')}${(250_000).toString(16).padStart(16, '0')}`))
          writer.u32be(4, 7)
          writer.u32be(12, 99)
          writer.string(10, prefix.replaceAll('\0', ''))
          writer.bytes(9, payload)
          const cursor = new MessageCursor(writer.finish())
          cursor.next()
          const read = readLoggedPacket(cursor)
          expect({ ...read, payload: read.payload.slice() }).toEqual({
            prefix: prefix.replaceAll('\0', ''),
            hook: 2,
            mark,
            inDevice: 7,
            outDevice: 0,
            sequence: 99,
            timeMs: time * 1000 + 250,
            payload,
          })
        },
      ),
    )
  })

  test('any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 100 }), (noise) => {
        const cursor = new MessageCursor(noise)
        cursor.start = 16
        cursor.end = noise.length
        try {
          readLoggedPacket(cursor)
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkFormatError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('binding names the group and how much of a packet is wanted', () => {
    const [bind, configure] = encodeBindGroup(0x1234, 128, 100)
    expect([...(bind ?? [])].slice(18, 20)).toEqual([0x12, 0x34])
    expect(Buffer.from(configure ?? []).toString('hex')).toContain('0000008002')
  })
})
