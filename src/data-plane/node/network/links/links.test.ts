import { describe, expect, test } from 'vitest'
import { formatIp, formatPrefix, parseIp, type IpBytes } from '../../../../base/ip.ts'
import type { KernelAddress, KernelLink } from '../../../../protocols/netlink/route/index.ts'
import { findNodeLinks } from '../node-links.ts'
import { planTunnels, tunnelMac, tunnelOverhead } from '../routes/tunnel-device.ts'
import type { LinkStep } from './link-step.ts'
import { isPodDevice, planPodLink, podDevice } from './plan-pod-link.ts'

const ip = (text: string): IpBytes => parseIp(text) as IpBytes
const textOf = (step: LinkStep): string => {
  if (step.op === 'address') return `address ${formatIp(step.address)}/${step.length} ${step.device}${step.scope ? ' link' : ''}`
  if (step.op === 'neighbour') return `neighbour ${formatIp(step.address)} ${step.mac} ${step.device}`
  if (step.op === 'default-route') return `default ${formatIp(step.gateway)} ${step.device}`
  if (step.op === 'forward') return `forward ${step.mac} ${formatIp(step.to)}:${step.port}`
  if (step.op === 'delete-neighbour') return `delete-neighbour ${formatIp(step.address)}`
  if (step.op === 'delete-forward') return `delete-forward ${step.mac}`
  return `${step.op} ${step.device}`
}

describe('the link of a pod', () => {
  const link = { podUid: 'uid', namespace: '/ns', nodeAddresses: ['10.0.0.1', 'fd50::1'], mtu: 1450 }
  const device = podDevice('uid')

  test('joins both families without anything to resolve', () => {
    const plan = planPodLink({ ...link, ips: ['10.244.1.2', 'fd00::2'] })
    expect(plan.create).toEqual([
      { op: 'add-veth', device, mac: 'ee:ee:ee:ee:ee:ee', mtu: 1450, peer: { device: 'eth0', mac: '0a:58:0a:f4:01:02', namespace: '/ns' } },
    ])
    expect(plan.host.map(textOf)).toEqual([
      `address 169.254.1.1/32 ${device} link`,
      `address fe80::1/64 ${device} link`,
      `up ${device}`,
      `neighbour 10.244.1.2 0a:58:0a:f4:01:02 ${device}`,
      `neighbour fd00::2 0a:58:0a:f4:01:02 ${device}`,
    ])
    expect(plan.pod.map(textOf)).toEqual([
      'up lo',
      'address 10.244.1.2/32 eth0',
      'address fd00::2/128 eth0',
      'up eth0',
      'neighbour 169.254.1.1 ee:ee:ee:ee:ee:ee eth0',
      'default 169.254.1.1 eth0',
      'neighbour fe80::1 ee:ee:ee:ee:ee:ee eth0',
      'default fe80::1 eth0',
    ])
    expect(plan.routes.map(({ prefix, source, nextHops }) => [formatPrefix(prefix), formatIp(source as IpBytes), nextHops])).toEqual([
      ['10.244.1.2/32', '10.0.0.1', [{ device }]],
      ['fd00::2/128', 'fd50::1', [{ device }]],
    ])
  })

  test('of one family has no gateway of the other', () => {
    const plan = planPodLink({ ...link, ips: ['fd00::2'], nodeAddresses: ['10.0.0.1'] })
    expect(plan.pod.map(textOf).filter((text) => text.startsWith('default'))).toEqual(['default fe80::1 eth0'])
    expect(plan.routes).toEqual([{ prefix: { family: 6, bytes: ip('fd00::2'), length: 128 }, nextHops: [{ device }], metric: 1 }])
  })

  test('has a name that the kernel takes and nobody else has', () => {
    expect(device.length).toBeLessThan(16)
    expect(isPodDevice(device)).toBe(true)
    expect(['bplane0', 'bp', 'bp0123456789a', 'eth0', 'biplane.vxlan'].some(isPodDevice)).toBe(false)
  })
})

describe('the links of a node', () => {
  const link = (index: number, name: string, mtu = 1500): KernelLink => ({
    index,
    name,
    mtu,
    isUp: true,
    hasCarrier: false,
    address: new Uint8Array(),
    kind: '',
  })
  const address = (text: string, length: number, on: number, scope = 0): KernelAddress => ({
    bytes: ip(text),
    length,
    link: on,
    scope,
    flags: 0,
  })
  const links = [link(1, 'lo', 65_536), link(2, 'eth0', 9000), link(3, podDevice('u')), link(4, 'biplane.vxlan', 1450), link(5, 'eth1')]
  const addresses = [
    address('127.0.0.1', 8, 1, 254),
    address('10.0.0.5', 24, 2),
    address('fd50::5', 64, 2),
    address('fe80::5', 64, 2, 253),
    address('169.254.1.1', 32, 3, 253),
    address('10.244.0.1', 32, 4),
    address('172.16.0.5', 12, 5),
  ]

  test('are those that other nodes may be on, whether their wire is there or not', () => {
    const found = findNodeLinks(ip('10.0.0.5'), links, addresses)
    expect(found?.uplink).toEqual({ device: 'eth0', mtu: 9000 })
    expect(found?.subnets.map(({ prefix, device }) => `${formatPrefix(prefix)} ${device}`)).toEqual([
      '10.0.0.0/24 eth0',
      'fd50::/64 eth0',
      '172.16.0.0/12 eth1',
    ])
  })

  test('are not known for an address that no link has', () => expect(findNodeLinks(ip('10.0.0.6'), links, addresses)).toBeUndefined())
})

describe('the tunnel', () => {
  const tunnel = (node: string, underlay: string, ...addresses: string[]) => ({
    node,
    mac: tunnelMac(node),
    port: 4789,
    underlay: ip(underlay),
    addresses: addresses.map(ip),
  })

  test('is told of the far ends', () => {
    expect(planTunnels([tunnel('b', '10.0.0.2', '10.244.1.1', 'fd00:1::1')], []).map(textOf)).toEqual([
      `forward ${tunnelMac('b')} 10.0.0.2:4789`,
      `neighbour 10.244.1.1 ${tunnelMac('b')} biplane.vxlan`,
      `neighbour fd00:1::1 ${tunnelMac('b')} biplane.vxlan`,
    ])
  })

  test('forgets only what nobody has any more', () => {
    const before = [tunnel('b', '10.0.0.2', '10.244.1.1'), tunnel('c', '10.0.0.3', '10.244.2.1')]
    // the machine of b is another now, and has the range of c
    const steps = planTunnels([tunnel('b', '10.0.0.9', '10.244.2.1')], before).map(textOf)
    expect(steps).toEqual([
      `forward ${tunnelMac('b')} 10.0.0.9:4789`,
      `neighbour 10.244.2.1 ${tunnelMac('b')} biplane.vxlan`,
      'delete-neighbour 10.244.1.1',
      `delete-forward ${tunnelMac('c')}`,
    ])
  })

  test('has an end for each node, the same every time', () => {
    expect(tunnelMac('a')).toBe(tunnelMac('a'))
    expect(tunnelMac('a')).not.toBe(tunnelMac('b'))
    expect(tunnelMac('a')).toMatch(/^0a:62(:[0-9a-f]{2}){4}$/)
    expect([tunnelOverhead(ip('10.0.0.1')), tunnelOverhead(ip('fd00::1'))]).toEqual([50, 70])
  })
})
