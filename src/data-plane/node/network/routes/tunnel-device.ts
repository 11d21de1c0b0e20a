import { createHash } from 'node:crypto'
import { parseIp, type IpBytes, type IpPrefix } from '../../../../base/ip.ts'
import { tunnelAddress } from '../addresses/prefix-pool.ts'
import type { LinkStep } from '../links/link-step.ts'
import type { Setting } from '../links/device-settings.ts'
import { TUNNEL_DEVICE, type Tunnel } from './plan-node-routes.ts'

/** The network that all nodes share: "bp". */
const VNI = 0x6270

/** What the tunnel adds to a packet: outer header, UDP, VXLAN, inner Ethernet. */
export function tunnelOverhead(underlay: IpBytes): number {
  return underlay.length === 4 ? 50 : 70
}

/** The hardware address of a node's end: the same after every restart, so that others need not learn a new one. */
export function tunnelMac(nodeName: string): string {
  const hash = createHash('sha256').update(`vtep ${nodeName}`).digest('hex')
  return ['0a', '62', ...(hash.slice(0, 8).match(/../g) ?? [])].join(':')
}

/** The device comes into being, down. */
export function planTunnelDevice(node: {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly mtu: number
}): readonly LinkStep[] {
  const local = parseIp(node.address) as IpBytes
  const mac = tunnelMac(node.name)
  return [
    { op: 'add-vxlan', device: TUNNEL_DEVICE, mac, mtu: node.mtu - tunnelOverhead(local), vxlan: { id: VNI, local, port: node.port } },
  ]
}

/** Before it is up. The way back may be another while nodes come to know each other, so its source is not checked strictly. */
export const TUNNEL_SETTINGS: readonly Setting[] = [
  [`ipv4/conf/${TUNNEL_DEVICE}/rp_filter`, '2'],
  [`ipv4/conf/${TUNNEL_DEVICE}/forwarding`, '1'],
  [`ipv6/conf/${TUNNEL_DEVICE}/addr_gen_mode`, '1'],
  [`ipv6/conf/${TUNNEL_DEVICE}/accept_dad`, '0'],
  [`ipv6/conf/${TUNNEL_DEVICE}/accept_ra`, '0'],
  [`ipv6/conf/${TUNNEL_DEVICE}/disable_ipv6`, '0'],
]

/** The node's own addresses on the tunnel. */
export function planTunnelAddresses(podCidrs: readonly IpPrefix[]): readonly LinkStep[] {
  return podCidrs.map((cidr) => {
    const address = tunnelAddress(cidr)
    return { op: 'address', device: TUNNEL_DEVICE, address, length: address.length * 8 }
  })
}

/** What the device is told of the far ends: all of them, and those that are gone taken back. Pure. */
export function planTunnels(wanted: readonly Tunnel[], known: readonly Tunnel[]): readonly LinkStep[] {
  const device = TUNNEL_DEVICE
  const macs = new Set(wanted.map((tunnel) => tunnel.mac))
  const addresses = new Set(wanted.flatMap((tunnel) => tunnel.addresses.map(String)))
  return [
    ...wanted.flatMap((tunnel): LinkStep[] => [
      { op: 'forward', device, mac: tunnel.mac, to: tunnel.underlay, port: tunnel.port },
      ...tunnel.addresses.map((address): LinkStep => ({ op: 'neighbour', device, address, mac: tunnel.mac })),
    ]),
    ...known.flatMap((tunnel): LinkStep[] => [
      ...tunnel.addresses
        .filter((address) => !addresses.has(String(address)))
        .map((address): LinkStep => ({ op: 'delete-neighbour', device, address })),
      ...(macs.has(tunnel.mac) ? [] : [{ op: 'delete-forward', device, mac: tunnel.mac } as const]),
    ]),
  ]
}
