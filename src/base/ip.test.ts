import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressInPrefix, formatIp, formatPrefix, parseIp, parsePrefix, prefixContains, prefixOf } from './ip.ts'

const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
/** Zeros are what makes IPv6 text hard. */
const zeroish = fc
  .array(fc.constantFrom(0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((g) => [g >> 8, g & 255])))

describe('addresses', () => {
  test('parse(format(x)) = x, and Node agrees that it is an address', () => {
    fc.assert(
      fc.property(fc.oneof(address, zeroish), (bytes) => {
        const text = formatIp(bytes)
        expect(isIP(text)).toBe(bytes.length === 4 ? 4 : 6)
        expect(parseIp(text)).toEqual(bytes)
      }),
    )
  })

  test('text is in the form of RFC 5952', () => {
    fc.assert(
      fc.property(zeroish, (bytes) => {
        const text = formatIp(bytes)
        const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1)
        expect(text).toBe(canonical)
      }),
    )
  })

  test.each(['', '1.2.3', '01.2.3.4', '1.2.3.256', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', 'fe80::1%eth0', '12345::', ':1'])(
    'refuses %j',
    (text) => {
      expect(parseIp(text)).toBeUndefined()
    },
  )

  test('reads an IPv4 tail', () => {
    expect(formatIp(parseIp('::ffff:1.2.3.4')!)).toBe('::ffff:102:304')
  })
})

describe('prefixes', () => {
  test('a prefix holds exactly the addresses that share its bits', () => {
    fc.assert(
      fc.property(address, fc.nat(128), fc.nat(127), (bytes, length, flip) => {
        const bits = bytes.length * 8
        const prefix = prefixOf(bytes, length % (bits + 1))
        expect(prefixContains(prefix, bytes)).toBe(true)
        expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix)
        const other = bytes.slice()
        const at = flip % bits
        other[at >> 3]! ^= 0x80 >> (at & 7)
        expect(prefixContains(prefix, other)).toBe(at >= prefix.length)
      }),
    )
  })

  test('addresses by offset', () => {
    expect(formatIp(addressInPrefix(parsePrefix('10.0.1.0/24')!, 255n)!)).toBe('10.0.1.255')
    expect(addressInPrefix(parsePrefix('10.0.1.0/24')!, 256n)).toBeUndefined()
    expect(formatIp(addressInPrefix(parsePrefix('fd00::/64')!, 0x10001n)!)).toBe('fd00::1:1')
  })
})
