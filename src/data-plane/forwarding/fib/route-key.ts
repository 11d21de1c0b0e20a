import { formatIp } from '../../../base/ip.ts'
import { AttributeCursor, NetlinkFormatError, uint32, type MessageCursor } from '../../../protocols/netlink/index.ts'
import { AF_INET6, RTA, TABLE_MAIN } from '../../../protocols/netlink/route/index.ts'
import type { FibRoute } from '../../../policy/route/fib-route.ts'

/**
 * What a route is known by in the kernel (prefix, table, metric), as a short string of bytes: family, prefix length, the bytes of the prefix that count, table,
 * metric. A hundred thousand of them take a few megabytes.
 */
export type RouteKey = string

/** The kernel turns metric 0 of an IPv6 route into this. */
const DEFAULT_IPV6_METRIC = 1024

const scratch = Buffer.alloc(32)

export function routeKey({ prefix, metric, table = TABLE_MAIN }: Pick<FibRoute, 'prefix' | 'metric' | 'table'>): RouteKey {
  return build(prefix.family, prefix.length, prefix.bytes, 0, table, metric === 0 && prefix.family === 6 ? DEFAULT_IPV6_METRIC : metric)
}

/** The key of a route that the kernel tells. @throws NetlinkFormatError */
export function routeKeyOf(message: MessageCursor): RouteKey {
  const { bytes, start } = message
  const attributes = new AttributeCursor(bytes, start + 12, message.end)
  const length = bytes[start + 1] as number
  let destination = -1
  let table = bytes[start + 4] as number
  let metric = 0
  while (attributes.next()) {
    if (attributes.type === RTA.destination) {
      if ((attributes.end - attributes.start) * 8 < length) throw new NetlinkFormatError('a route with half an address')
      destination = attributes.start
    } else if (attributes.type === RTA.table) table = attributes.u32()
    else if (attributes.type === RTA.metric) metric = attributes.u32()
  }
  const isIpv6 = bytes[start] === AF_INET6
  if (length > (isIpv6 ? 128 : 32) || (destination < 0 && length > 0)) throw new NetlinkFormatError('a route without an address')
  return build(isIpv6 ? 6 : 4, length, bytes, destination, table, metric)
}

export interface RouteIdentity {
  readonly family: 4 | 6
  /** All 4 or 16 bytes. */
  readonly destination: Uint8Array
  readonly length: number
  readonly table: number
  readonly metric: number
}

/** What a key says. */
export function parseRouteKey(key: RouteKey): RouteIdentity {
  const family = key.charCodeAt(0) === 4 ? 4 : 6
  const length = key.charCodeAt(1)
  const count = (length + 7) >> 3
  const destination = new Uint8Array(family === 4 ? 4 : 16)
  for (let i = 0; i < count; i++) destination[i] = key.charCodeAt(2 + i)
  scratch.write(key.slice(2 + count), 'latin1')
  return { family, destination, length, table: uint32(scratch, 0), metric: uint32(scratch, 4) }
}

/** `10.0.0.0/8`; of another table than the main one `10.0.0.0/8 table 7`. */
export function describeRouteKey(key: RouteKey): string {
  const { destination, length, table } = parseRouteKey(key)
  return `${formatIp(destination)}/${length}${table === TABLE_MAIN ? '' : ` table ${table}`}`
}

function build(family: number, length: number, bytes: Uint8Array, at: number, table: number, metric: number): RouteKey {
  const count = (length + 7) >> 3
  scratch[0] = family
  scratch[1] = length
  for (let i = 0; i < count; i++) scratch[2 + i] = bytes[at + i] as number
  scratch.writeUInt32LE(table, 2 + count)
  scratch.writeUInt32LE(metric, 6 + count)
  return scratch.toString('latin1', 0, 10 + count)
}
