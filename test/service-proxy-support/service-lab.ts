import { createNetworkLab, type LabHost, type NetworkLab } from '../../src/testing/network-lab/index.ts'
import type { ServiceNode } from '../../src/policy/packet/services/index.ts'
import { Agent } from './agents.ts'

/**
 * A node with two pods of its own behind routed links, another node's pod on the wire, and a client outside:
 *
 *   client 192.0.2.9 ---+--- node 192.0.2.1 ---- p1 10.244.1.11
 *   r1 10.244.2.21 -----+                   \--- p2 10.244.1.12        and the same with IPv6
 */
export interface ServiceLab {
  readonly lab: NetworkLab
  readonly node: LabHost
  readonly serviceNode: ServiceNode
  readonly agents: Record<'node' | 'client' | 'p1' | 'p2' | 'r1', Agent>
}

export const PODS = {
  p1: { v4: '10.244.1.11', v6: 'fd00:10:244:1::b', nodeName: 'node' },
  p2: { v4: '10.244.1.12', v6: 'fd00:10:244:1::c', nodeName: 'node' },
  r1: { v4: '10.244.2.21', v6: 'fd00:10:244:2::15', nodeName: 'other' },
} as const
export const NODE = { v4: '192.0.2.1', v6: '2001:db8::1' } as const
export const CLIENT = { v4: '192.0.2.9', v6: '2001:db8::9' } as const
export const RANGES = ['10.96.0.0/16', 'fd00:10:96::/112'] as const

export async function buildServiceLab(): Promise<ServiceLab> {
  const lab = await createNetworkLab()
  const [node, client, p1, p2, r1] = (await Promise.all(['node', 'client', 'p1', 'p2', 'r1'].map((name) => lab.host(name)))) as [
    LabHost,
    LabHost,
    LabHost,
    LabHost,
    LabHost,
  ]
  await lab.segment([
    { host: node, device: 'eth0', addresses: [`${NODE.v4}/24`, `${NODE.v6}/64`] },
    { host: client, device: 'eth0', addresses: [`${CLIENT.v4}/24`, `${CLIENT.v6}/64`] },
    { host: r1, device: 'eth0', addresses: ['192.0.2.21/24', '2001:db8::15/64', `${PODS.r1.v4}/32`, `${PODS.r1.v6}/128`] },
  ])
  await node.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  // refusals of datagrams are ICMP messages, of which the kernel sends one a second to each host otherwise
  await node.must(['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0'])
  for (const [pod, name] of [
    [p1, 'p1'],
    [p2, 'p2'],
  ] as const) {
    await lab.segment([
      { host: node, device: `v${name}`, addresses: ['169.254.1.1/32', 'fe80::1/64'] },
      { host: pod, device: 'eth0', addresses: [`${PODS[name].v4}/32`, `${PODS[name].v6}/128`] },
    ])
    await batch(pod, ['route add 169.254.1.1 dev eth0', 'route add default via 169.254.1.1', '-6 route add default via fe80::1 dev eth0'])
    await batch(node, [`route add ${PODS[name].v4} dev v${name}`, `-6 route add ${PODS[name].v6} dev v${name}`])
  }
  for (const host of [client, r1]) await batch(host, [`route add default via ${NODE.v4}`, `-6 route add default via ${NODE.v6}`])
  // `serviceRangeRoutes`, as the node sets them
  await batch(node, [
    `route add default via ${CLIENT.v4}`,
    `-6 route add default via ${CLIENT.v6}`,
    'route add 10.244.2.0/24 via 192.0.2.21',
    '-6 route add fd00:10:244:2::/64 via 2001:db8::15',
    `route add ${RANGES[0]} dev eth0 src ${NODE.v4}`,
    `-6 route add ${RANGES[1]} dev eth0 src ${NODE.v6}`,
  ])
  const agents = {
    node: new Agent(node),
    client: new Agent(client),
    p1: new Agent(p1),
    p2: new Agent(p2),
    r1: new Agent(r1),
  }
  for (const name of ['p1', 'p2', 'r1'] as const) {
    await agents[name].serve('TCP', 8080)
    // answers to datagrams must come from the address that was asked, which a socket for all addresses does not care for
    for (const address of [PODS[name].v4, PODS[name].v6]) await agents[name].serve('UDP', 8080, address)
  }
  return {
    lab,
    node,
    agents,
    serviceNode: {
      name: 'node',
      addresses: [NODE.v4, NODE.v6],
      zone: 'a',
      podRanges: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
      serviceRanges: RANGES,
    },
  }
}

async function batch(host: LabHost, lines: readonly string[]): Promise<void> {
  for (const line of lines) await host.must(['ip', ...line.split(' ')])
}
