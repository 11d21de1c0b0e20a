import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isServiceAddress, parseServiceRanges, serviceAddressAt } from './service-ranges.ts'

test('ranges of both families', () => {
  const shown = parseServiceRanges('10.96.0.0/16, fd00:10:96::/112').map(({ family, text, count, reserved }) => [
    family,
    text,
    count,
    reserved,
  ])
  expect(shown).toEqual([
    ['IPv4', '10.96.0.0/16', 65_534, 256],
    ['IPv6', 'fd00:10:96::/112', 65_535, 256],
  ])
  expect(parseServiceRanges('fd00::/64')[0]?.count).toBe(2 ** 32)
})

test.each([
  ['10.96.0.0', /is not a CIDR/],
  ['10.96.0.0/30', /fewer than 8 addresses/],
  ['10.96.0.0/16,10.97.0.0/16', /more than one range of a family/],
  ['10.96.0.0/16,', /is not a CIDR/],
])('refuses %s', (text, message) => {
  expect(() => parseServiceRanges(text)).toThrow(message)
  expect(() => parseServiceRanges(text)).toThrow(expect.objectContaining({ code: 'BAD_SERVICE_CIDR' }))
})

test('every address that is given out is one of the range, and the ends are not', () => {
  fc.assert(
    fc.property(fc.constantFrom('10.96.0.0/29', '10.96.0.0/16', 'fd00::/125', 'fd00::/112'), fc.nat(), (text, n) => {
      const range = parseServiceRanges(text)[0]!
      expect(isServiceAddress(range, serviceAddressAt(range, n % range.count))).toBe(true)
    }),
  )
  const [v4, v6] = parseServiceRanges('10.96.0.0/29,fd00::/125')
  const inside = (addresses: string[], range: typeof v4): string[] => addresses.filter((address) => isServiceAddress(range!, address))
  expect(inside(['10.96.0.0', '10.96.0.1', '10.96.0.6', '10.96.0.7', '10.96.0.8', 'x', '::'], v4)).toEqual(['10.96.0.1', '10.96.0.6'])
  expect(inside(['fd00::', 'fd00::1', 'fd00:0::7', 'fd00::8'], v6)).toEqual(['fd00::1', 'fd00:0::7'])
})
