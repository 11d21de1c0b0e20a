import { parseIp, parsePrefix, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import type { Node } from '../../../../api/generated/types.ts'
import type { RoutedNode } from './plan-node-routes.ts'

/** Annotations of a Node that say where its end of the tunnel is. */
export const VTEP_MAC = 'biplane.dev/vtep-mac'
export const VTEP_PORT = 'biplane.dev/vtep-port'

/** What other nodes need to know of a node; what cannot be read is left out. */
export function readNode(node: Node): RoutedNode {
  const mac = node.metadata.annotations?.[VTEP_MAC] ?? ''
  const port = Number(node.metadata.annotations?.[VTEP_PORT])
  const tunnel = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && port > 0 && port < 65_536 ? { mac, port } : undefined
  const internal = (node.status?.addresses ?? []).filter((address) => address.type === 'InternalIP')
  return {
    name: node.metadata.name,
    podCidrs: podCidrsOf(node),
    addresses: internal.map(({ address }) => parseIp(address)).filter((bytes): bytes is IpBytes => bytes !== undefined),
    ...(tunnel ? { tunnel } : {}),
  }
}

/** The pod ranges of a node, primary family first. */
export function podCidrsOf(node: Node | undefined): readonly IpPrefix[] {
  const texts = node?.spec?.podCIDRs?.length ? node.spec.podCIDRs : node?.spec?.podCIDR ? [node.spec.podCIDR] : []
  return texts.map((text) => parsePrefix(text)).filter((prefix): prefix is IpPrefix => prefix !== undefined)
}
