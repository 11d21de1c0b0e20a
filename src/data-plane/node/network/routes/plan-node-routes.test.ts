import { describe, expect, test } from 'vitest'
import { formatIp, formatPrefix, parseIp, parsePrefix, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import type { FibRoute } from '../../../../policy/route/fib-route.ts'
import { planNodeRoutes, type RoutedNode, type SelfNode } from './plan-node-routes.ts'
import { readNode } from './read-nodes.ts'

const ip = (text: string): IpBytes => parseIp(text) as IpBytes
const prefix = (text: string): IpPrefix => parsePrefix(text) as IpPrefix

const node = (name: string, cidrs: readonly string[], addresses: readonly string[], mac?: string): RoutedNode => ({
  name,
  podCidrs: cidrs.map(prefix),
  addresses: addresses.map(ip),
  ...(mac ? { tunnel: { mac, port: 4789 } } : {}),
})

const self = (options: Partial<SelfNode> = {}): SelfNode => ({
  name: 'self',
  podCidrs: [prefix('10.244.0.0/24'), prefix('fd00:0:0:1::/64')],
  addresses: [ip('192.168.1.1'), ip('fd50::1')],
  subnets: [
    { prefix: prefix('192.168.1.0/24'), device: 'eth0' },
    { prefix: prefix('fd50::/64'), device: 'eth0' },
  ],
  mode: 'auto',
  ...options,
})

/** As `ip route` would print it. */
const text = ({ prefix: to, type, nextHops, source }: FibRoute): string =>
  [
    ...(type ? [type] : []),
    formatPrefix(to),
    ...nextHops.flatMap(({ gateway, device, onLink }) => [
      ...(gateway ? ['via', formatIp(gateway)] : []),
      ...(device ? ['dev', device] : []),
      ...(onLink ? ['onlink'] : []),
    ]),
    ...(source ? ['src', formatIp(source)] : []),
  ].join(' ')

const near = node('near', ['10.244.1.0/24', 'fd00:0:0:2::/64'], ['192.168.1.2', 'fd50::2'], '0a:62:00:00:00:02')
const far = node('far', ['10.244.2.0/24', 'fd00:0:0:3::/64'], ['192.168.9.2', 'fd59::2'], '0a:62:00:00:00:03')
const own = ['unreachable 10.244.0.0/24', 'unreachable fd00:0:0:1::/64']
const plan = (
  nodes: readonly RoutedNode[],
  options: Partial<SelfNode> = {},
): { routes: string[]; tunnels: string[]; problems: readonly string[] } => {
  const { routes, tunnels, problems } = planNodeRoutes(nodes, self(options))
  const tunnelled = tunnels.map(({ node: name, mac, underlay, addresses }) =>
    [name, mac, formatIp(underlay), ...addresses.map(formatIp)].join(' '),
  )
  return { routes: routes.map(text), tunnels: tunnelled, problems }
}

describe('routes to the pods of other nodes', () => {
  test('lead directly to a node on the same link, with the address of this node as source', () => {
    expect(plan([near])).toEqual({
      routes: [...own, '10.244.1.0/24 via 192.168.1.2 dev eth0 src 192.168.1.1', 'fd00:0:0:2::/64 via fd50::2 dev eth0 src fd50::1'],
      tunnels: [],
      problems: [],
    })
  })

  test('lead through the tunnel to a node that is not', () => {
    expect(plan([far])).toEqual({
      routes: [
        ...own,
        '10.244.2.0/24 via 10.244.2.1 dev biplane.vxlan onlink src 10.244.0.1',
        'fd00:0:0:3::/64 via fd00:0:0:3::1 dev biplane.vxlan onlink src fd00:0:0:1::1',
      ],
      tunnels: ['far 0a:62:00:00:00:03 192.168.9.2 10.244.2.1 fd00:0:0:3::1'],
      problems: [],
    })
  })

  test('use the tunnel for the one family in which there is no common link', () => {
    const half = { ...near, addresses: [ip('192.168.1.2')] }
    const { routes, tunnels } = plan([half], {
      addresses: [ip('192.168.1.1')],
      subnets: [{ prefix: prefix('192.168.1.0/24'), device: 'eth0' }],
    })
    expect(routes.slice(2)).toEqual([
      '10.244.1.0/24 via 192.168.1.2 dev eth0 src 192.168.1.1',
      'fd00:0:0:2::/64 via fd00:0:0:2::1 dev biplane.vxlan onlink src fd00:0:0:1::1',
    ])
    expect(tunnels).toEqual(['near 0a:62:00:00:00:02 192.168.1.2 fd00:0:0:2::1'])
  })

  test.each([
    ['vxlan', [near], { tunnels: 1, routes: 4, problems: 0 }],
    ['direct', [near, far], { tunnels: 0, routes: 4, problems: 2 }],
    ['none', [near, far], { tunnels: 0, routes: 2, problems: 0 }],
    ['auto', [near, far], { tunnels: 1, routes: 6, problems: 0 }],
  ] as const)('with --node-routes %s', (mode, nodes, counts) => {
    const { routes, tunnels, problems } = plan(nodes, { mode })
    expect({ tunnels: tunnels.length, routes: routes.length, problems: problems.length }).toEqual(counts)
  })

  test('are the same whatever the order of the nodes', () => {
    expect(plan([far, near])).toEqual(plan([near, far]))
  })

  test.each([
    ['one without an end of the tunnel', { ...far, tunnel: undefined } as unknown as RoutedNode, 'has not announced its end of the tunnel'],
    ['one without an address of our family', { ...far, addresses: [ip('fd59::2')] }, 'no address in the family'],
    ['one that claims our range', node('thief', ['10.244.0.128/25'], ['192.168.1.3']), 'it overlaps 10.244.0.0/24 of this node'],
    ['one that claims everything', node('thief', ['0.0.0.0/0'], ['192.168.1.3']), 'it overlaps 10.244.0.0/24 of this node'],
    ['one that claims our address', node('thief', ['192.168.0.0/16'], ['192.168.1.3']), 'it holds an address of this node'],
    ['one that claims the range of another', node('thief', ['10.244.1.0/24'], ['192.168.1.3']), 'node "near" has it too'],
  ])('do not lead to %s', (_what, other, problem) => {
    const { routes, problems } = plan([near, other])
    expect(routes).toHaveLength(4)
    expect(problems[0]).toContain(problem)
  })
})

describe('a Node', () => {
  test('is read without what cannot be', () => {
    const metadata = { name: 'n', annotations: { 'biplane.dev/vtep-mac': '0a:62:00:00:00:01', 'biplane.dev/vtep-port': '4789' } }
    const addresses = [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'InternalIP', address: 'nonsense' },
      { type: 'Hostname', address: '10.0.0.9' },
    ]
    const read = readNode({ metadata, spec: { podCIDRs: ['10.244.0.0/24', 'x'] }, status: { addresses } })
    expect(read).toEqual({
      name: 'n',
      podCidrs: [prefix('10.244.0.0/24')],
      addresses: [ip('10.0.0.1')],
      tunnel: { mac: '0a:62:00:00:00:01', port: 4789 },
    })
  })

  test.each([
    [{ 'biplane.dev/vtep-mac': 'eth0; reboot', 'biplane.dev/vtep-port': '4789' }],
    [{ 'biplane.dev/vtep-mac': '0a:62:00:00:00:01', 'biplane.dev/vtep-port': '70000' }],
    [{ 'biplane.dev/vtep-mac': '0a:62:00:00:00:01' }],
    [{}],
  ])('has no tunnel with annotations %o', (annotations) => {
    expect(readNode({ metadata: { name: 'n', annotations } }).tunnel).toBeUndefined()
  })
})
