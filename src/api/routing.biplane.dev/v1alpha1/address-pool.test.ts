import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tableColumns } from '../../print/columns.ts'
import { refusals } from '../../validation/create-as-server.ts'
import { addressPools, type AddressPool } from './address-pool.ts'
import { addressText, addressValue, parseAddressRange, rangeText } from './address-range.ts'

test.each<[object, string[]]>([
  [{ addresses: ['192.0.2.0/24', '198.51.100.10-198.51.100.20', '2001:db8::/64', '203.0.113.7'] }, []],
  [{ addresses: ['192.0.2.0/24'], autoAssign: false, priority: -5, serviceSelector: { matchLabels: { a: 'b' } } }, []],
  [{ addresses: [] }, ['spec.addresses: Required value: must have at least one CIDR or range, such as 192.0.2.0/24']],
  [
    { addresses: ['192.0.2.9-192.0.2.1'] },
    [
      'spec.addresses[0]: Invalid value: "192.0.2.9-192.0.2.1": must be a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20',
    ],
  ],
  [
    { addresses: ['192.0.2.1-2001:db8::1'] },
    [
      'spec.addresses[0]: Invalid value: "192.0.2.1-2001:db8::1": must be a CIDR such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20',
    ],
  ],
  [{ addresses: ['192.0.2.1/24'] }, ['spec.addresses[0]: Invalid value: "192.0.2.1/24": must not have bits set beyond the prefix length']],
  [
    { addresses: ['2001:db8::1/64'] },
    ['spec.addresses[0]: Invalid value: "2001:db8::1/64": must not have bits set beyond the prefix length'],
  ],
  [{ addresses: ['2001:0db8:0::/64'] }, []],
  [
    { addresses: ['192.0.2.0/24', '192.0.2.10-192.0.2.20'] },
    ['spec.addresses[1]: Invalid value: "192.0.2.10-192.0.2.20": overlaps spec.addresses[0]'],
  ],
  [{ addresses: ['127.0.0.0/24'] }, ['spec.addresses[0]: Invalid value: "127.0.0.0/24": must not have loopback addresses (127.0.0.0/8)']],
  [{ addresses: ['fe80::/64'] }, ['spec.addresses[0]: Invalid value: "fe80::/64": must not have link-local addresses (fe80::/10)']],
  [
    { addresses: ['192.0.2.0/24'], serviceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
    ["spec.serviceSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"],
  ],
])('%j', (spec, errors) => {
  expect(refusals(addressPools, { metadata: { name: 'p' }, spec })).toEqual(errors)
})

test('columns', () => {
  const pool: AddressPool = {
    metadata: { name: 'p', creationTimestamp: '2026-01-31T11:55:00Z' },
    spec: { addresses: ['192.0.2.0/30', '2001:db8::/64'] },
    status: { assignedIPv4: 2, assignedIPv6: 1, availableIPv4: 2, availableIPv6: Number.MAX_SAFE_INTEGER },
  }
  const cells = tableColumns(addressPools).map(({ name, value }) => [name, value(pool, Date.parse('2026-01-31T12:00:00Z'))])
  expect(cells).toEqual([
    ['Name', 'p'],
    ['Addresses', '192.0.2.0/30,2001:db8::/64'],
    ['Auto', true],
    ['Assigned', 3],
    ['Available', Number.MAX_SAFE_INTEGER],
    ['Conflicting', 'Unknown'],
    ['Age', '5m'],
    ['Priority', 0],
  ])
})

test('ranges and addresses are read as they are written', () => {
  const address = fc.oneof(
    fc.record({ family: fc.constant(4 as const), address: fc.bigInt(0n, 2n ** 32n - 1n) }),
    fc.record({ family: fc.constant(6 as const), address: fc.bigInt(0n, 2n ** 128n - 1n) }),
  )
  fc.assert(
    fc.property(address, (one) => {
      expect(addressValue(addressText(one.family, one.address))).toEqual(one)
    }),
  )
  fc.assert(
    fc.property(address, fc.bigInt(0n, 1000n), ({ family, address: first }, length) => {
      const range = { family, first, last: first + length }
      if (range.last < 2n ** (family === 4 ? 32n : 128n)) expect(parseAddressRange(rangeText(range))).toEqual(range)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void parseAddressRange(text)))
})
