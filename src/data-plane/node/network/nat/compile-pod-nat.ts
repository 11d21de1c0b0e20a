import { formatIp, formatPrefix, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import { isPodDevice, podDevice } from '../links/plan-pod-link.ts'
import type { HostPort } from './host-port.ts'

/** Name of our table in each family. */
export const POD_TABLE = 'biplane-pods'

export interface PodNat {
  /** The node's own address in the family; absent: one is chosen by the way out. */
  readonly nodeAddress?: IpBytes | undefined
  /** Pod ranges of this node, and of all nodes. */
  readonly localPods: readonly IpPrefix[]
  readonly clusterPods: readonly IpPrefix[]
  readonly hostPorts: readonly HostPort[]
}

// every pod device begins so; what a stranger calls so is spared nothing but packets that are nonsense
const POD_DEVICES = `${podDevice('').slice(0, 2)}*`
if (!isPodDevice(podDevice(''))) throw new Error('pod devices have other names')

/**
 * The table of one family, as one transaction that replaces it: ports of the node that lead to pods, and the node's address for what pods send
 * to the outside. Nothing in it grows with the number of pods but the elements of its maps.
 */
export function compilePodNat(family: 4 | 6, nat: PodNat): string {
  const table = `${family === 4 ? 'ip' : 'ip6'} ${POD_TABLE}`
  return `table ${table}
delete table ${table}
table ${table} {
${family === 4 ? body(4, nat) + guard : body(6, nat)}}
`
}

/** New contents of the sets of ranges: one transaction. */
export function compileRanges(family: 4 | 6, nat: Pick<PodNat, 'localPods' | 'clusterPods'>): string {
  const table = `${family === 4 ? 'ip' : 'ip6'} ${POD_TABLE}`
  const sets = [['local-pods', of(family, nat.localPods)] as const, ['cluster-pods', of(family, nat.clusterPods)] as const]
  return sets
    .flatMap(([name, ranges]) => [
      `flush set ${table} ${name}`,
      ...(ranges.length > 0 ? [`add element ${table} ${name} { ${ranges.map(formatPrefix).join(', ')} }`] : []),
    ])
    .map((line) => `${line}\n`)
    .join('')
}

const of = (family: 4 | 6, ranges: readonly IpPrefix[]): readonly IpPrefix[] => ranges.filter((range) => range.family === family)

function body(family: 4 | 6, nat: PodNat): string {
  const [ip, type] = family === 4 ? ['ip', 'ipv4_addr'] : ['ip6', 'ipv6_addr']
  const ports = elementsOf(nat.hostPorts.filter((port) => port.family === family))
  const elements = (texts: readonly string[]): string => (texts.length > 0 ? ` elements = { ${texts.join(', ')} };` : '')
  const own = nat.nodeAddress ? `snat to ${formatIp(nat.nodeAddress)}` : 'masquerade'
  // a connection to 127.0.0.1 keeps that as its source, which means nothing in a pod
  const loopback = family === 4 ? `    ip saddr 127.0.0.0/8 ip daddr @local-pods ${own}\n` : ''
  // ranges that overlap come from nodes that were given theirs by hand: nft refuses a set with them, unless it may merge them
  return `  set local-pods { type ${type}; flags interval; auto-merge;${elements(of(family, nat.localPods).map(formatPrefix))} }
  set cluster-pods { type ${type}; flags interval; auto-merge;${elements(of(family, nat.clusterPods).map(formatPrefix))} }
  map host-ports { typeof ${ip} daddr . meta l4proto . th dport : ${ip} daddr . th dport;${elements(ports['host-ports'])} }
  map any-host-ports { typeof meta l4proto . th dport : ${ip} daddr . th dport;${elements(ports['any-host-ports'])} }
  set hairpin { typeof ${ip} saddr . ${ip} daddr . meta l4proto . th dport;${elements(ports.hairpin)} }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump to-pods
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump to-pods
  }
  chain to-pods {
    dnat ${ip} to ${ip} daddr . meta l4proto . th dport map @host-ports
    dnat ${ip} to meta l4proto . th dport map @any-host-ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ${ip} saddr . ${ip} daddr . meta l4proto . th dport @hairpin ${own}
${loopback}    ${ip} saddr @local-pods ${ip} daddr != @cluster-pods masquerade
  }
`
}

/** Links of pods let packets to 127.0.0.0/8 pass, for the answers of such connections: nothing else may come that way. */
const guard = `  chain guard {
    type filter hook prerouting priority -110; policy accept;
    iifname "${POD_DEVICES}" ip daddr 127.0.0.0/8 drop
  }
`

function elementsOf(ports: readonly HostPort[]): Readonly<Record<'host-ports' | 'any-host-ports' | 'hairpin', readonly string[]>> {
  const target = (port: HostPort): string => `${formatIp(port.pod)} . ${port.podPort}`
  const some = ports.filter((port) => port.address)
  const any = ports.filter((port) => !port.address)
  const hairpin = ports.map(({ pod, protocol, podPort }) => `${formatIp(pod)} . ${formatIp(pod)} . ${protocol} . ${podPort}`)
  return {
    'host-ports': some.map((port) => `${formatIp(port.address as IpBytes)} . ${port.protocol} . ${port.port} : ${target(port)}`),
    'any-host-ports': any.map((port) => `${port.protocol} . ${port.port} : ${target(port)}`),
    hairpin: [...new Set(hairpin)],
  }
}
