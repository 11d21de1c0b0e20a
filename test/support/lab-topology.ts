import type { LabHost, NetworkLab, Segment } from '../../src/testing/network-lab/index.ts'

/**
 * `lan`: all hosts on one link. `routed`: each host on a link of its own, all joined by host `router`. `fabric`: as `lan`, and two more links, `left` and
 * `right`, that all hosts are on: two ways from everywhere to everywhere.
 */
export type Topology = 'lan' | 'routed' | 'fabric'

export interface LaidOut {
  readonly hosts: ReadonlyMap<string, LabHost>
  /** `lan` (and `left` and `right`), or one called after each host. */
  readonly segments: ReadonlyMap<string, Segment>
  /** IPv4 and IPv6 of each host. */
  readonly addresses: ReadonlyMap<string, readonly [string, string]>
}

/**
 * Makes hosts with addresses 192.168.50.<n> and fd50::<n> on one link, or 192.168.<n>.2 and fd50:<n>::2 behind a router. On the links of a fabric
 * (eth1 left, eth2 right) they are 192.168.61.<n> and fd61::<n>, 192.168.62.<n> and fd62::<n>.
 */
export async function planTopology(lab: NetworkLab, topology: Topology, names: readonly string[]): Promise<LaidOut> {
  const hosts = new Map<string, LabHost>()
  for (const name of names) hosts.set(name, await lab.host(name))
  if (topology === 'routed') return await behindRouter(lab, hosts)
  const laidOut = await oneLink(lab, hosts)
  return topology === 'lan' ? laidOut : { ...laidOut, segments: new Map([...laidOut.segments, ...(await fabric(lab, hosts))]) }
}

async function fabric(lab: NetworkLab, hosts: ReadonlyMap<string, LabHost>): Promise<ReadonlyMap<string, Segment>> {
  const link = (device: string, net: number): Promise<Segment> =>
    lab.segment(
      [...hosts.values()].map((host, i) => ({
        host,
        device,
        addresses: [`192.168.${net}.${10 + i}/24`, `fd${net}::${10 + i}/64`],
      })),
    )
  return new Map([
    ['left', await link('eth1', 61)],
    ['right', await link('eth2', 62)],
  ])
}

async function oneLink(lab: NetworkLab, hosts: ReadonlyMap<string, LabHost>): Promise<LaidOut> {
  const addresses = new Map<string, readonly [string, string]>()
  const ports = [...hosts].map(([name, host], i) => {
    addresses.set(name, [`192.168.50.${10 + i}`, `fd50::${10 + i}`])
    return { host, device: 'eth0', addresses: [`192.168.50.${10 + i}/24`, `fd50::${10 + i}/64`] }
  })
  return { hosts, addresses, segments: new Map([['lan', await lab.segment(ports)]]) }
}

async function behindRouter(lab: NetworkLab, hosts: ReadonlyMap<string, LabHost>): Promise<LaidOut> {
  const router = await lab.host('router')
  await router.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  const addresses = new Map<string, readonly [string, string]>()
  const segments = new Map<string, Segment>()
  let n = 50
  for (const [name, host] of hosts) {
    n++
    addresses.set(name, [`192.168.${n}.2`, `fd50:${n}::2`])
    segments.set(
      name,
      await lab.segment([
        { host: router, device: `to-${name}`, addresses: [`192.168.${n}.1/24`, `fd50:${n}::1/64`] },
        { host, device: 'eth0', addresses: [`192.168.${n}.2/24`, `fd50:${n}::2/64`] },
      ]),
    )
    await host.must(['ip', 'route', 'add', 'default', 'via', `192.168.${n}.1`])
    await host.must(['ip', '-6', 'route', 'add', 'default', 'via', `fd50:${n}::1`])
  }
  return { hosts: new Map([...hosts, ['router', router]]), addresses, segments }
}
