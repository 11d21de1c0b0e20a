import { formatPrefix, prefixContains, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import type { FibRoute } from '../../../../policy/route/fib-route.ts'
import { tunnelAddress } from '../addresses/prefix-pool.ts'

/** How packets get to the pods of other nodes: directly where the node is on the same link, through a tunnel, or by somebody else's routes. */
export type NodeRouteMode = 'auto' | 'direct' | 'vxlan' | 'none'

/** The tunnel device of every node. */
export const TUNNEL_DEVICE = 'biplane.vxlan'
/** Kernel priority of routes to the pods of other nodes: behind what a routing protocol has found. */
const NODE_METRIC = 2048
/** Of what catches packets to addresses that no pod has. */
const UNUSED_METRIC = 4096

/** Another node, as its API object shows it. */
export interface RoutedNode {
  readonly name: string
  readonly podCidrs: readonly IpPrefix[]
  /** InternalIP, primary first. */
  readonly addresses: readonly IpBytes[]
  /** Its end of the tunnel; absent: it has announced none. */
  readonly tunnel?: { readonly mac: string; readonly port: number }
}

/** This node. */
export interface SelfNode {
  readonly name: string
  readonly podCidrs: readonly IpPrefix[]
  readonly addresses: readonly IpBytes[]
  /** The links it is on. */
  readonly subnets: readonly { readonly prefix: IpPrefix; readonly device: string }[]
  readonly mode: NodeRouteMode
}

/** The far end of a tunnel: what the tunnel device is told of it. */
export interface Tunnel {
  readonly node: string
  readonly mac: string
  readonly port: number
  /** Of the machine, in the family of this node's primary address. */
  readonly underlay: IpBytes
  /** On the tunnel, one per family: gateways of routes. */
  readonly addresses: readonly IpBytes[]
}

export interface NodeRoutesPlan {
  readonly routes: readonly FibRoute[]
  readonly tunnels: readonly Tunnel[]
  /** Why pods of some nodes cannot be reached; stable texts, sorted by node. */
  readonly problems: readonly string[]
}

/** Routes to the pod ranges of all other nodes, and what keeps packets to unused addresses of the own ranges here. Pure. */
export function planNodeRoutes(nodes: readonly RoutedNode[], self: SelfNode): NodeRoutesPlan {
  const routes: FibRoute[] = self.podCidrs.map((prefix) => ({ prefix, type: 'unreachable', nextHops: [], metric: UNUSED_METRIC }))
  const tunnels: Tunnel[] = []
  const problems: string[] = []
  const taken = new Map<string, string>()
  const others = nodes.filter((node) => node.name !== self.name).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  for (const node of others) {
    const through: IpBytes[] = []
    for (const prefix of node.podCidrs) {
      const text = formatPrefix(prefix)
      const refusal = refuse(prefix, self) ?? (taken.has(text) ? `node "${taken.get(text)}" has it too` : undefined)
      if (refusal !== undefined) {
        problems.push(`node "${node.name}": its pod CIDR ${text} is not routed: ${refusal}`)
        continue
      }
      taken.set(text, node.name)
      const way = wayTo(node, prefix, self)
      if (typeof way === 'string') problems.push(`node "${node.name}": its pods in ${text} cannot be reached: ${way}`)
      else if (way) {
        routes.push(way)
        if (way.nextHops[0]?.device === TUNNEL_DEVICE) through.push(tunnelAddress(prefix))
      }
    }
    const underlay = underlayOf(node, self)
    if (through.length > 0 && node.tunnel && underlay) tunnels.push({ node: node.name, ...node.tunnel, underlay, addresses: through })
  }
  return { routes, tunnels, problems }
}

/** A stranger's range must not take addresses away from this node. */
function refuse(prefix: IpPrefix, self: SelfNode): string | undefined {
  const own = self.podCidrs.find((candidate) => prefixContains(prefix, candidate) || prefixContains(candidate, prefix))
  if (own) return `it overlaps ${formatPrefix(own)} of this node`
  return self.addresses.some((address) => prefixContains(prefix, address)) ? 'it holds an address of this node' : undefined
}

/** @returns the route; a text when there is no way; undefined when none is wanted */
function wayTo(node: RoutedNode, prefix: IpPrefix, self: SelfNode): FibRoute | string | undefined {
  if (self.mode === 'none') return undefined
  if (self.mode !== 'vxlan') {
    for (const gateway of node.addresses) {
      const link = gateway.length === prefix.bytes.length && self.subnets.find((subnet) => prefixContains(subnet.prefix, gateway))
      if (!link) continue
      return route(
        prefix,
        { gateway, device: link.device },
        self.addresses.find((address) => address.length === gateway.length),
      )
    }
    if (self.mode === 'direct') return 'it is not on a link of this node, and routes are to be direct (--node-routes direct)'
  }
  if (!node.tunnel) return 'it has not announced its end of the tunnel yet'
  if (!underlayOf(node, self)) return 'it has no address in the family of the primary address of this node'
  const own = self.podCidrs.find((candidate) => candidate.family === prefix.family)
  const hop = { gateway: tunnelAddress(prefix), device: TUNNEL_DEVICE, onLink: true }
  return route(prefix, hop, own && tunnelAddress(own))
}

function route(prefix: IpPrefix, hop: FibRoute['nextHops'][number], source: IpBytes | undefined): FibRoute {
  return { prefix, nextHops: [hop], metric: NODE_METRIC, ...(source ? { source } : {}) }
}

function underlayOf(node: RoutedNode, self: SelfNode): IpBytes | undefined {
  return node.addresses.find((address) => address.length === self.addresses[0]?.length)
}
