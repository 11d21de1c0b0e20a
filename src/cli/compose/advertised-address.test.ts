import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { advertisedAddress } from './advertised-address.ts'

const on = (...addresses: string[]): Record<string, NetworkInterfaceInfo[]> => ({
  eth0: addresses.map((address) => ({ address, internal: address.startsWith('127.') || address === '::1' }) as NetworkInterfaceInfo),
})

test.each<[string, string[], string[], string]>([
  ['192.0.2.1', [], ['198.51.100.1'], '192.0.2.1'],
  ['127.0.0.1', ['192.0.2.9'], ['198.51.100.1'], '127.0.0.1'],
  ['0.0.0.0', ['api.example.com', '192.0.2.9'], ['198.51.100.1'], '192.0.2.9'],
  ['0.0.0.0', ['2001:db8::9'], ['198.51.100.1'], '198.51.100.1'],
  ['0.0.0.0', [], ['127.0.0.1', '169.254.1.1', '198.51.100.1'], '198.51.100.1'],
  ['::', [], ['fe80::1', '2001:db8::1', '198.51.100.1'], '198.51.100.1'],
  ['::', [], ['fe80::1', '2001:db8::1'], '2001:db8::1'],
  ['0.0.0.0', [], ['2001:db8::1', '::1'], '127.0.0.1'],
])('%s with names %j on a machine with %j: %s', (host, hosts, addresses, expected) => {
  expect(advertisedAddress(host, { hosts, interfaces: on(...addresses) })).toBe(expected)
})
