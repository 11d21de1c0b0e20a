import type { IpBytes } from '../../../../base/ip.ts'
import { RouteSocket } from '../../../forwarding/netlink/index.ts'
import type { KernelNeighbour } from '../../../../protocols/netlink/route/index.ts'
import { TUNNEL_DEVICE, type Tunnel } from './plan-node-routes.ts'

/** The far ends that the tunnel device knows: those of an earlier agent. Empty when there is no device. */
export async function readTunnels(): Promise<readonly Tunnel[]> {
  const socket = RouteSocket.open()
  try {
    const link = await socket.link(TUNNEL_DEVICE)
    if (!link) return []
    return tunnelsOf(await socket.neighbours('forwarding', link.index), await socket.neighbours('neighbour', link.index))
  } finally {
    socket.close()
  }
}

/** Pure part of readTunnels. Which node and port is meant cannot be seen. */
export function tunnelsOf(forwarding: readonly KernelNeighbour[], neighbours: readonly KernelNeighbour[]): readonly Tunnel[] {
  const byMac = new Map<string, { underlay: IpBytes; addresses: IpBytes[] }>()
  for (const { address, ip } of forwarding) if (address && ip) byMac.set(macText(address), { underlay: ip, addresses: [] })
  for (const { address, ip } of neighbours) if (address && ip) byMac.get(macText(address))?.addresses.push(ip)
  return [...byMac].map(([mac, end]) => ({ node: '', mac, port: 0, ...end }))
}

const macText = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
