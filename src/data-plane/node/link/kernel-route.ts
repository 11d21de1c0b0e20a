import { formatIp, parseIp } from '../../../base/ip.ts'
import { protocolName } from '../../forwarding/fib/protocol-name.ts'
import { ROUTE_TYPES, type KernelLink, type KernelNextHop, type KernelRoute } from '../../../protocols/netlink/route/index.ts'
import type { KernelRouteAnswer } from '../../../protocols/node-explain.ts'

/** What of a RouteSocket is needed. */
export interface RouteReader {
  matchRoute(destination: Uint8Array): Promise<KernelRoute | undefined>
  links(): Promise<readonly KernelLink[]>
}

/** Routes that refuse packets are told as an error by the kernel. */
const REFUSALS: Readonly<Record<string, string>> = { EINVAL: 'blackhole', EHOSTUNREACH: 'unreachable', EACCES: 'prohibit' }

/** Asks the kernel which route a packet to an address takes. A string says why there is none. */
export async function kernelRoute(reader: RouteReader, address: string): Promise<KernelRouteAnswer | string> {
  const bytes = parseIp(address)
  if (!bytes) return `"${address}" is no IP address`
  try {
    const route = await reader.matchRoute(bytes)
    if (!route) return 'the kernel has no route there'
    const names = new Map((await reader.links()).map(({ index, name }) => [index, name]))
    return describe(route, names)
  } catch (error) {
    const code = (error as { code?: unknown }).code
    const refusal = typeof code === 'string' ? REFUSALS[code] : undefined
    if (refusal) return `a route of type ${refusal} refuses it`
    throw error
  }
}

function describe(route: KernelRoute, names: ReadonlyMap<number, string>): KernelRouteAnswer {
  const { destination, length, type, nextHops, protocol, metric, table } = route
  return {
    destination: `${formatIp(destination)}/${length}`,
    type: Object.entries(ROUTE_TYPES).find(([, number]) => number === type)?.[0] ?? `type ${type}`,
    nextHops: nextHops.map((hop) => hopText(hop, names, nextHops.length > 1)),
    owner: protocolName(protocol).replace(/^protocol /, ''),
    metric,
    table,
  }
}

function hopText({ gateway, link, weight }: KernelNextHop, names: ReadonlyMap<number, string>, isShared: boolean): string {
  const via = gateway ? [`via ${formatIp(gateway)}`] : []
  const device = link === 0 ? [] : [`dev ${names.get(link) ?? link}`]
  return [...via, ...device, ...(isShared ? [`weight ${weight}`] : [])].join(' ')
}
