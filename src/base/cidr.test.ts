import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressAt, formatIpv4, offsetIn, parseIpv4, parseIpv4Range, type Ipv4Range } from './cidr.ts'

test.each<[string, Ipv4Range | undefined]>([
  ['10.96.0.0/16', { base: 0x0a600000, prefix: 16, size: 65_536 }],
  ['10.96.3.7/16', { base: 0x0a600000, prefix: 16, size: 65_536 }],
  ['255.255.255.255/32', { base: 0xffffffff, prefix: 32, size: 1 }],
  ['0.0.0.0/0', { base: 0, prefix: 0, size: 2 ** 32 }],
  ['10.96.0.0/33', undefined],
  ['10.96.0.0/016', undefined],
  ['10.96.0.0', undefined],
  ['10.96.0/16', undefined],
  ['10.96.0.256/16', undefined],
  ['fd00::/8', undefined],
  ['', undefined],
])('%s', (text, range) => {
  expect(parseIpv4Range(text)).toEqual(range)
})

test('numbers with leading zeros are no addresses: some read them as octal', () => {
  expect(['10.0.0.01', '1.2.3', '1.2.3.4.5', ' 1.2.3.4', '-1.2.3.4'].map(parseIpv4)).toEqual(Array(5).fill(undefined))
})

test("addresses and offsets are each other's inverse, over the whole space", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }), (value, prefix) => {
      expect(parseIpv4(formatIpv4(value))).toBe(value)
      const range = parseIpv4Range(`${formatIpv4(value)}/${prefix}`) as Ipv4Range
      const offset = value - range.base
      expect(addressAt(range, offset)).toBe(formatIpv4(value))
      expect(offsetIn(range, formatIpv4(value))).toBe(offset)
      expect(offsetIn(range, formatIpv4((range.base + range.size) % 2 ** 32))).toBe(prefix === 0 ? 0 : undefined)
    }),
  )
})
