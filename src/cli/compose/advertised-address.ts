import { isIP, isIPv6 } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'

/**
 * The address under which others reach an API server that listens on `host`. Pure. One that listens everywhere is reached at an address that
 * the user named for it, else at the machine's own, IPv4 first; with no network at all over the loopback.
 */
export function advertisedAddress(
  host: string,
  {
    hosts,
    interfaces,
  }: { readonly hosts: readonly string[]; readonly interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> },
): string {
  if (host !== '0.0.0.0' && host !== '::') return host
  const serves = (address: string): boolean => host === '::' || !isIPv6(address)
  const named = hosts.find((name) => isIP(name) !== 0 && serves(name))
  if (named !== undefined) return named
  const own = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(
      ({ address, internal }) =>
        !internal && serves(address) && !address.toLowerCase().startsWith('fe80:') && !address.startsWith('169.254.'),
    )
    .map(({ address }) => address)
  return own.find((address) => !isIPv6(address)) ?? own[0] ?? '127.0.0.1'
}
