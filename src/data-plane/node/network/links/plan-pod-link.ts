import { createHash } from 'node:crypto'
import { parseIp, prefixOf, type IpBytes } from '../../../../base/ip.ts'
import type { FibRoute } from '../../../../policy/route/fib-route.ts'
import type { LinkStep } from './link-step.ts'

/** What pods see as their gateway, on every node: link-local addresses that are never routed. */
export const GATEWAYS: readonly IpBytes[] = ['169.254.1.1', 'fe80::1'].map((text) => parseIp(text) as IpBytes)

/** Of every node's end of a pod's link: there is nobody else on it. */
const HOST_MAC = 'ee:ee:ee:ee:ee:ee'
const POD_DEVICE = 'eth0'
/** Kernel priority of routes to the node's own pods: nothing comes before them. */
const POD_METRIC = 1

/** Name of the node's end of a pod's link. */
export function podDevice(podUid: string): string {
  return `bp${createHash('sha256').update(podUid).digest('hex').slice(0, 10)}`
}

/** Whether a device may be the node's end of a pod's link. */
export function isPodDevice(device: string): boolean {
  return /^bp[0-9a-f]{10}$/.test(device)
}

export interface PodLink {
  readonly podUid: string
  /** The pod's addresses. */
  readonly ips: readonly string[]
  /** Path of the pod's network namespace. */
  readonly namespace: string
  /** The node's own addresses: what its packets to the pod come from. */
  readonly nodeAddresses: readonly string[]
  readonly mtu: number
}

export interface PodLinkPlan {
  readonly device: string
  /** In the node's namespace: the pair comes into being. */
  readonly create: readonly LinkStep[]
  /** In the node's namespace, after `create` and the settings of the device. */
  readonly host: readonly LinkStep[]
  /** In the pod's namespace, after `create`. */
  readonly pod: readonly LinkStep[]
  /** In the node's forwarding table. */
  readonly routes: readonly FibRoute[]
}

/**
 * A routed link of a pod's own: no bridge, so that every packet of a pod passes the node's forwarding and its policies. Both ends know
 * each other's hardware address, so nothing is ever resolved. Pure.
 */
export function planPodLink(link: PodLink): PodLinkPlan {
  const device = podDevice(link.podUid)
  const addresses = link.ips.map((text) => parseIp(text) as IpBytes)
  const mac = macOf(addresses[0] as IpBytes)
  const gateways = GATEWAYS.filter((gateway) => addresses.some((address) => address.length === gateway.length))
  const nodeAddresses = link.nodeAddresses.map((text) => parseIp(text) as IpBytes)
  const peer = { device: POD_DEVICE, mac, namespace: link.namespace }
  return {
    device,
    create: [{ op: 'add-veth', device, mac: HOST_MAC, mtu: link.mtu, peer }],
    host: [
      ...gateways.map((gateway): LinkStep => ({ op: 'address', device, address: gateway, length: onlyHost(gateway), scope: 'link' })),
      { op: 'up', device },
      ...addresses.map((address): LinkStep => ({ op: 'neighbour', device, address, mac })),
    ],
    pod: [
      { op: 'up', device: 'lo' },
      ...addresses.map((address): LinkStep => ({ op: 'address', device: POD_DEVICE, address, length: address.length * 8 })),
      { op: 'up', device: POD_DEVICE },
      ...gateways.flatMap((gateway): LinkStep[] => [
        { op: 'neighbour', device: POD_DEVICE, address: gateway, mac: HOST_MAC },
        { op: 'default-route', device: POD_DEVICE, gateway },
      ]),
    ],
    routes: addresses.map((address) => {
      const source = nodeAddresses.find((candidate) => candidate.length === address.length)
      const prefix = prefixOf(address, address.length * 8)
      return { prefix, nextHops: [{ device }], metric: POD_METRIC, ...(source ? { source } : {}) }
    }),
  }
}

/** IPv6 link-local addresses have a prefix, or the kernel does not take the link for theirs. */
const onlyHost = (gateway: IpBytes): number => (gateway.length === 4 ? 32 : 64)

/** As container networks have it: locally administered, made from the last four bytes of the address. */
function macOf(address: IpBytes): string {
  return ['0a', '58', ...Array.from(address.slice(-4), (byte) => byte.toString(16).padStart(2, '0'))].join(':')
}
