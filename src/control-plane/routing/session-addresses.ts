import { parseIp, parsePrefix, prefixContains, type IpBytes, type IpPrefix } from '../../base/ip.ts'
import type { Family } from '../../protocols/bgp/message.ts'
import type { SessionParameters } from './rib/contract.ts'

/** An address of this machine, as `os.networkInterfaces()` gives it. */
export interface InterfaceAddress {
  readonly address: string
  /** With prefix length. */
  readonly cidr: string | null
}

export type Interfaces = Readonly<Record<string, readonly InterfaceAddress[] | undefined>>

/**
 * The own next hops of a session: its local address, and for the other family an address of the same interface. Of an IPv6 session the link-local
 * address too, when the peer is on the link (RFC 2545).
 */
export function sessionAddresses(
  interfaces: Interfaces,
  session: { readonly local?: string; readonly remote: IpBytes },
): Pick<SessionParameters, 'localAddresses' | 'localLinkLocal' | 'sharedSubnets'> {
  const local = session.local === undefined ? undefined : parseIp(session.local.replace(/%.*$/, ''))
  if (!local) return { localAddresses: {} }
  const own = Object.values(interfaces).find((addresses) =>
    addresses?.some(({ address }) => {
      const bytes = parseIp(address.replace(/%.*$/, ''))
      return bytes !== undefined && isSame(bytes, local)
    }),
  )
  const addresses = (own ?? []).flatMap(({ address, cidr }) => {
    const bytes = parseIp(address.replace(/%.*$/, ''))
    const subnet = cidr === null ? undefined : parsePrefix(cidr.replace(/%[^/]*/, ''))
    return bytes ? [{ bytes, subnet }] : []
  })
  const localFamily: Family = local.length === 4 ? 4 : 6
  const other = addresses.find(({ bytes }) => bytes.length !== local.length && !isLinkLocal(bytes) && !isLoopback(bytes))?.bytes
  const sharedSubnets = addresses.flatMap(({ subnet }): IpPrefix[] => (subnet && !isLinkLocal(subnet.bytes) ? [subnet] : []))
  const isOnLink = isLinkLocal(session.remote) || sharedSubnets.some((subnet) => prefixContains(subnet, session.remote))
  const linkLocal = isOnLink ? addresses.find(({ bytes }) => isLinkLocal(bytes))?.bytes : undefined
  // others than the peer need an address that means something to them too
  const global = isLinkLocal(local) ? addresses.find(({ bytes }) => bytes.length === 16 && !isLinkLocal(bytes))?.bytes : undefined
  return {
    localAddresses: { [localFamily]: global ?? local, ...(other ? { [localFamily === 4 ? 6 : 4]: other } : {}) },
    ...(linkLocal ? { localLinkLocal: linkLocal } : {}),
    ...(isOnLink ? { sharedSubnets } : {}),
  }
}

export function isLinkLocal(bytes: IpBytes): boolean {
  return bytes.length === 16 && bytes[0] === 0xfe && ((bytes[1] as number) & 0xc0) === 0x80
}

function isLoopback(bytes: IpBytes): boolean {
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, i) => byte === (i === 15 ? 1 : 0))
}

function isSame(a: IpBytes, b: IpBytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
