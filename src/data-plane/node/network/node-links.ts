import { networkInterfaces } from 'node:os'
import { formatIp, parseIp, parsePrefix, type IpPrefix } from '../../../base/ip.ts'
import { readSetting } from './links/device-settings.ts'
import { isPodDevice } from './links/plan-pod-link.ts'
import { TUNNEL_DEVICE } from './routes/plan-node-routes.ts'

/** The links of a node to others. */
export interface NodeLinks {
  /** The link that has the node's primary address. */
  readonly uplink: { readonly device: string; readonly mtu: number }
  /** Every link that other nodes may be on. */
  readonly subnets: readonly { readonly prefix: IpPrefix; readonly device: string }[]
}

const DEFAULT_MTU = 1500

/**
 * Looks at the network namespace of this thread. Only links that are up are seen.
 * @param address the node's primary address @returns undefined when no link has it
 */
export function readNodeLinks(address: string): NodeLinks | undefined {
  const wanted = parseIp(address)
  const found = Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).map((entry) => ({ device, ...entry })),
  )
  const uplink =
    wanted &&
    found.find(
      (entry) =>
        parseIp(entry.address.split('%')[0] ?? '')?.every((byte, i) => byte === wanted[i]) && sameFamily(entry.family, wanted.length),
    )
  if (!uplink) return undefined
  const subnets = found
    .filter(({ device, internal }) => !internal && !isPodDevice(device) && device !== TUNNEL_DEVICE)
    .flatMap(({ device, cidr }) => {
      const prefix = cidr ? parsePrefix(cidr.replace(/%[^/]*/, '')) : undefined
      return prefix && !isLinkLocal(prefix) ? [{ prefix, device }] : []
    })
  return { uplink: { device: uplink.device, mtu: Number(readSetting(`ipv6/conf/${uplink.device}/mtu`)) || DEFAULT_MTU }, subnets }
}

const sameFamily = (family: string, bytes: number): boolean => (family === 'IPv4') === (bytes === 4)

const isLinkLocal = (prefix: IpPrefix): boolean => prefix.family === 6 && formatIp(prefix.bytes).startsWith('fe80')
