import { NLM_ACK, NLM_CREATE, NLM_DUMP, NLM_EXCLUSIVE, NLM_REPLACE, NLM_REQUEST } from '../constants.ts'
import { AttributeCursor, NetlinkFormatError, uint16, uint32, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'
import { AF_INET, AF_INET6, familyOf, int32, RTM } from './constants.ts'

/** One way out of a route. */
export interface KernelNextHop {
  /** May be of the other family. */
  readonly gateway?: Uint8Array
  /** Index of the link; 0: none, or the kernel shall find it. */
  readonly link: number
  /** 1 to 256. */
  readonly weight: number
  /** RTNH_F_...; see NEXT_HOP_ONLINK. */
  readonly flags: number
}

/** A route as the kernel holds it. */
export interface KernelRoute {
  readonly destination: Uint8Array
  /** Of the prefix. */
  readonly length: number
  readonly table: number
  /** Tag of the owner. */
  readonly protocol: number
  /** RTN_...; see ROUTE_TYPES. */
  readonly type: number
  readonly metric: number
  /** Preferred source address. */
  readonly source?: Uint8Array
  readonly nextHops: readonly KernelNextHop[]
}

/** RTN_... */
export const ROUTE_TYPES = { unicast: 1, local: 2, broadcast: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const

export const NEXT_HOP_DEAD = 0x1
export const NEXT_HOP_ONLINK = 0x4
export const NEXT_HOP_LINKDOWN = 0x10

/** A flag of routes: the kernel made it while it forwarded; not part of the table. */
const RTM_F_CLONED = 0x200
/** A flag of requests: tell the route that matches, not what became of it for this one packet. */
const RTM_F_FIB_MATCH = 0x2000
const SCOPE_UNIVERSE = 0
const SCOPE_LINK = 253
const SCOPE_ANY = 255
export const RTA = { destination: 1, link: 4, gateway: 5, metric: 6, source: 7, multipath: 9, table: 15, via: 18 } as const

/**
 * `create`: refused with EEXIST where any route has the same prefix, table and metric, whoever made it. `replace`: takes its place, whoever made it.
 * `delete`: of the same prefix, table, metric and protocol. Without `isAcknowledged` only errors are told: for all but the last of many.
 */
export function writeRoute(
  writer: NetlinkWriter,
  op: 'create' | 'replace' | 'delete',
  sequence: number,
  route: KernelRoute,
  isAcknowledged: boolean,
): void {
  const flags = NLM_REQUEST | (isAcknowledged ? NLM_ACK : 0)
  const { destination, table, nextHops, metric } = route
  const only = nextHops.length === 1 ? nextHops[0] : undefined
  if (op === 'delete') {
    writer.message(RTM.deleteRoute, flags, sequence)
    writer.head(head(route, SCOPE_ANY, 0, 0))
  } else {
    writer.message(RTM.newRoute, flags | NLM_CREATE | (op === 'create' ? NLM_EXCLUSIVE : NLM_REPLACE), sequence)
    const isDirect = destination.length === 4 && route.type === ROUTE_TYPES.unicast && nextHops.every((hop) => !hop.gateway)
    writer.head(head(route, isDirect ? SCOPE_LINK : SCOPE_UNIVERSE, route.type, only?.flags ?? 0))
  }
  if (route.length > 0) writer.bytes(RTA.destination, destination)
  writer.u32(RTA.table, table)
  if (metric !== 0) writer.u32(RTA.metric, metric)
  if (op === 'delete') return
  if (route.source) writer.bytes(RTA.source, route.source)
  if (only) writeHop(writer, only, destination.length)
  else if (nextHops.length > 1) writeHops(writer, nextHops, destination.length)
}

/** Asks for the routes of a family; filtered by the kernel where a filter is given. */
export function writeGetRoutes(
  writer: NetlinkWriter,
  sequence: number,
  family: 4 | 6,
  filter: { readonly protocol?: number; readonly table?: number } = {},
): void {
  writer.message(RTM.getRoute, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head([family === 4 ? AF_INET : AF_INET6, 0, 0, 0, 0, filter.protocol ?? 0, 0, 0, 0, 0, 0, 0])
  if (filter.table !== undefined) writer.u32(RTA.table, filter.table)
}

/** Asks which route of the tables a packet to this address would take; the answer is the route as it stands there. */
export function writeMatchRoute(writer: NetlinkWriter, sequence: number, destination: Uint8Array): void {
  writer.message(RTM.getRoute, NLM_REQUEST | NLM_ACK, sequence)
  writer.head([familyOf(destination), destination.length * 8, 0, 0, 0, 0, 0, 0, ...int32(RTM_F_FIB_MATCH)])
  writer.bytes(RTA.destination, destination)
}

/** Whether an RTM_NEWROUTE tells of the kernel's cache, not of a table. */
export function isClonedRoute(message: MessageCursor): boolean {
  return (uint32(message.bytes, message.start + 8) & RTM_F_CLONED) !== 0
}

/** Reads an RTM_NEWROUTE or RTM_DELROUTE. @throws NetlinkFormatError */
export function readRoute(message: MessageCursor): KernelRoute {
  const { bytes, start } = message
  const attributes = new AttributeCursor(bytes, start + 12, message.end)
  const width = bytes[start] === AF_INET6 ? 16 : 4
  let destination: Uint8Array | undefined
  let table = bytes[start + 4] as number
  let metric = 0
  let source: Uint8Array | undefined
  let gateway: Uint8Array | undefined
  let link = 0
  let nextHops: readonly KernelNextHop[] | undefined
  while (attributes.next()) {
    switch (attributes.type) {
      case RTA.destination:
        destination = attributes.value()
        break
      case RTA.table:
        table = attributes.u32()
        break
      case RTA.metric:
        metric = attributes.u32()
        break
      case RTA.source:
        source = attributes.value()
        break
      case RTA.gateway:
        gateway = attributes.value()
        break
      case RTA.via:
        gateway = readVia(attributes)
        break
      case RTA.link:
        link = attributes.u32()
        break
      case RTA.multipath:
        nextHops = readHops(bytes, attributes.start, attributes.end)
        break
    }
  }
  if (destination && destination.length !== width) throw new NetlinkFormatError(`a route to an address of ${destination.length} bytes`)
  const flags = uint32(bytes, start + 8) & 0xff
  nextHops ??= gateway || link !== 0 ? [{ ...(gateway && { gateway }), link, weight: 1, flags }] : []
  return {
    destination: destination ?? new Uint8Array(width),
    length: bytes[start + 1] as number,
    table,
    protocol: bytes[start + 5] as number,
    type: bytes[start + 7] as number,
    metric,
    ...(source && { source }),
    nextHops,
  }
}

/** rtmsg. */
function head({ destination, length, table, protocol }: KernelRoute, scope: number, type: number, flags: number): readonly number[] {
  return [familyOf(destination), length, 0, 0, table < 256 ? table : 0, protocol, scope, type, ...int32(flags)]
}

function writeHop(writer: NetlinkWriter, { gateway, link }: KernelNextHop, width: number): void {
  if (gateway?.length === width) writer.bytes(RTA.gateway, gateway)
  else if (gateway) writer.bytes(RTA.via, Uint8Array.from([familyOf(gateway), 0, ...gateway]))
  if (link !== 0) writer.u32(RTA.link, link)
}

function writeHops(writer: NetlinkWriter, hops: readonly KernelNextHop[], width: number): void {
  const nest = writer.open(RTA.multipath, false)
  for (const hop of hops) {
    // rtnexthop begins with its own length, which counts its attributes too
    const gateway = hop.gateway === undefined ? 0 : hop.gateway.length === width ? 4 + width : (4 + 2 + hop.gateway.length + 3) & ~3
    const length = 8 + gateway
    writer.head([length & 255, length >> 8, hop.flags & 255, hop.weight - 1, ...int32(hop.link)])
    writeHop(writer, { ...hop, link: 0 }, width)
  }
  writer.close(nest)
}

/** The next hops of an RTA_MULTIPATH that lies between `start` and `end`. @throws NetlinkFormatError */
export function readHops(bytes: Uint8Array, start: number, end: number): readonly KernelNextHop[] {
  const hops: KernelNextHop[] = []
  for (let at = start; end - at >= 8;) {
    const length = uint16(bytes, at)
    if (length < 8 || length > end - at)
      throw new NetlinkFormatError(`a next hop says it has ${length} bytes, of ${end - at} that are there`)
    const attributes = new AttributeCursor(bytes, at + 8, at + length)
    let gateway: Uint8Array | undefined
    while (attributes.next()) {
      if (attributes.type === RTA.gateway) gateway = attributes.value()
      else if (attributes.type === RTA.via) gateway = readVia(attributes)
    }
    hops.push({
      ...(gateway && { gateway }),
      link: uint32(bytes, at + 4),
      weight: (bytes[at + 3] as number) + 1,
      flags: bytes[at + 2] as number,
    })
    at += (length + 3) & ~3
  }
  return hops
}

function readVia(attribute: AttributeCursor): Uint8Array {
  if (attribute.end - attribute.start < 2) throw new NetlinkFormatError('a gateway without a family')
  return attribute.bytes.slice(attribute.start + 2, attribute.end)
}
