import { formatIp, parseIp, type IpBytes } from '../../../../base/ip.ts'
import type { Pod } from '../../../../api/generated/types.ts'
import { containerRoles } from '../../pods/pod-view.ts'

/** A port of the node that leads to a pod. */
export interface HostPort {
  readonly family: 4 | 6
  /** Of the node; absent: all its addresses. */
  readonly address?: IpBytes
  /** IP protocol number: 6, 17 or 132. */
  readonly protocol: number
  readonly port: number
  readonly pod: IpBytes
  readonly podPort: number
}

const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 }

/** A port of the node that another pod has already, or that cannot be had. `code` is `HostPortConflict`. */
export class HostPortError extends Error {
  override readonly name = 'HostPortError'
  readonly code = 'HostPortConflict'
}

/**
 * The ports of the node that a pod asks for, in each family that it has an address of. `hostIP` 0.0.0.0 and :: are all addresses of their family.
 * Containers that only initialize have none.
 */
export function hostPortsOf(pod: Pod, ips: readonly string[]): readonly HostPort[] {
  const addresses = ips.map((text) => parseIp(text) as IpBytes)
  return containerRoles(pod)
    .filter(({ role }) => role !== 'init')
    .flatMap(({ spec }) => spec.ports ?? [])
    .filter((port) => (port.hostPort ?? 0) > 0)
    .flatMap((port) => {
      const asked = port.hostIP ? parseIp(port.hostIP) : undefined
      const protocol = PROTOCOLS[port.protocol ?? 'TCP']
      if (protocol === undefined) return []
      return addresses
        .filter((address) => asked === undefined || asked.length === address.length)
        .map((address): HostPort => ({
          family: address.length === 4 ? 4 : 6,
          ...(asked && asked.some((byte) => byte !== 0) ? { address: asked } : {}),
          protocol,
          port: port.hostPort as number,
          pod: address,
          podPort: port.containerPort,
        }))
    })
}

/** What a port of the node is known by. */
export function hostPortKey({ family, address, protocol, port }: HostPort): string {
  return `${address ? formatIp(address) : family === 4 ? '0.0.0.0' : '::'} ${protocol} ${port}`
}
