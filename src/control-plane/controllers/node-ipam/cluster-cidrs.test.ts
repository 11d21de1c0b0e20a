import { expect, test } from 'vitest'
import { formatPrefix, parsePrefix } from '../../../base/ip.ts'
import { parseClusterCidrs } from './cluster-cidrs.ts'

const read = (text: string, sizes = {}): string[] =>
  parseClusterCidrs(text, sizes).map(({ prefix, nodeLength }) => `${formatPrefix(prefix)} in /${nodeLength}`)

test('one range of each family, in the order given', () => {
  expect(read('10.244.0.0/16')).toEqual(['10.244.0.0/16 in /24'])
  expect(read('fd00:10:244::/48, 10.244.3.7/16')).toEqual(['fd00:10:244::/48 in /64', '10.244.0.0/16 in /24'])
  expect(read('10.0.0.0/8,fd00::/56', { ipv4: 26, ipv6: 72 })).toEqual(['10.0.0.0/8 in /26', 'fd00::/56 in /72'])
})

test.each<[string, object, RegExp]>([
  ['10.244.0.0', {}, /"10.244.0.0" is not a CIDR/],
  ['', {}, /is not a CIDR/],
  ['10.244.0.0/33', {}, /is not a CIDR/],
  ['10.244.0.0/16,10.245.0.0/16', {}, /more than one range of a family/],
  ['10.244.0.0/16,fd00::/48,fd01::/48', {}, /more than one range of a family/],
  ['10.244.0.0/25', {}, /part of 10.244.0.0\/25 cannot be a \/24; set --node-cidr-mask-size-ipv4 to 25..32/],
  ['fd00::/48', { ipv6: 129 }, /set --node-cidr-mask-size-ipv6 to 48..128/],
  ['fd00::/8', {}, /more than 2\^24 parts/],
  ['10.96.0.0/12', {}, /overlaps 10.96.0.0\/16, the addresses of services/],
])('refuses %s', (text, sizes, message) => {
  const reserved = [parsePrefix('10.96.0.0/16')!]
  expect(() => parseClusterCidrs(text, sizes, reserved)).toThrow(expect.objectContaining({ code: 'BAD_CLUSTER_CIDR' }))
  expect(() => parseClusterCidrs(text, sizes, reserved)).toThrow(message)
})
