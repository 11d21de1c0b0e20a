import { compareIp, parseIp, prefixOf, type IpBytes, type IpPrefix } from '../../../base/ip.ts'
import { RouteSocket } from '../../forwarding/netlink/index.ts'
import type { KernelAddress, KernelLink } from '../../../protocols/netlink/route/index.ts'
import { isPodDevice } from './links/plan-pod-link.ts'
import { TUNNEL_DEVICE } from './routes/plan-node-routes.ts'

/** The links of a node to others. */
export interface NodeLinks {
  /** The link that has the node's primary address. */
  readonly uplink: { readonly device: string; readonly mtu: number }
  /** Every link that other nodes may be on. */
  readonly subnets: readonly { readonly prefix: IpPrefix; readonly device: string }[]
}

const SCOPE_UNIVERSE = 0

/** Reads the links of this machine. @param address the node's primary address @returns undefined when no link has it */
export async function readNodeLinks(address: string): Promise<NodeLinks | undefined> {
  const socket = RouteSocket.open()
  try {
    return findNodeLinks(parseIp(address) as IpBytes, await socket.links(), await socket.addresses())
  } finally {
    socket.close()
  }
}

/** Pure part of readNodeLinks. Links count whether their wire is there or not: a cable that was pulled comes back. */
export function findNodeLinks(address: IpBytes, links: readonly KernelLink[], addresses: readonly KernelAddress[]): NodeLinks | undefined {
  const byIndex = new Map(links.map((link) => [link.index, link]))
  const own = addresses.find((candidate) => compareIp(candidate.bytes, address) === 0)
  const uplink = own && byIndex.get(own.link)
  if (!uplink) return undefined
  const subnets = addresses.flatMap(({ bytes, length, link, scope }) => {
    const device = byIndex.get(link)?.name ?? 'lo'
    // an address alone is no subnet: nobody else is on it
    const isSubnet = scope === SCOPE_UNIVERSE && length < bytes.length * 8
    return isSubnet && device !== 'lo' && device !== TUNNEL_DEVICE && !isPodDevice(device)
      ? [{ prefix: prefixOf(bytes, length), device }]
      : []
  })
  return { uplink: { device: uplink.name, mtu: uplink.mtu }, subnets }
}
