import { compareIp, formatIp } from '../../../base/ip.ts'
import { AttributeCursor, type MessageCursor } from '../../../protocols/netlink/index.ts'
import { NEXT_HOP_ONLINK, readRoute, ROUTE_TYPES, RTA, type KernelNextHop } from '../../../protocols/netlink/route/index.ts'
import type { FibNextHop, FibRoute } from '../../../policy/route/fib-route.ts'

/** All of a wanted route but what it is known by. Many routes share one. */
export interface Way {
  readonly type: NonNullable<FibRoute['type']>
  readonly nextHops: readonly FibNextHop[]
  readonly source: Uint8Array | undefined
}

/** The same of a route that the kernel has. */
export interface FoundWay {
  readonly protocol: number
  /** RTN_... */
  readonly type: number
  readonly nextHops: readonly KernelNextHop[]
  readonly source: Uint8Array | undefined
}

/** Interfaces by name. */
export type Devices = ReadonlyMap<string, { readonly index: number; readonly isUp: boolean }>

/** What makes a route impossible whatever the kernel says; undefined: nothing. */
export function routeFault({ prefix, type = 'unicast', nextHops, source, metric }: FibRoute): string | undefined {
  const width = prefix.family === 4 ? 4 : 16
  if (prefix.bytes.length !== width || prefix.length > width * 8) return 'its prefix is none'
  // asked to delete metric 0, the kernel deletes whichever route of the prefix it finds
  if (metric === 0 && prefix.family === 4) return 'an IPv4 route needs a metric above 0'
  if (type === 'unicast' && nextHops.length === 0) return 'a unicast route needs a next hop'
  if (type !== 'unicast' && nextHops.length > 0) return `a route of type ${type} has no next hop`
  if (source && source.length !== width) return 'its source address is of the other family'
  for (const { gateway, device, weight = 1 } of nextHops) {
    if (!gateway && device === undefined) return 'a next hop needs a gateway or a device'
    if (gateway && gateway.length !== width && prefix.family === 6) return 'an IPv6 route needs an IPv6 gateway'
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) return `a weight of ${weight}: it must be 1 to 256`
  }
  return undefined
}

export function wayOf({ type = 'unicast', nextHops, source }: FibRoute): Way {
  return { type, nextHops, source }
}

/** Equal for ways that are the same, in the same order of next hops. */
export function waySignature({ type, nextHops, source }: Way): string {
  const hops = nextHops.map(
    ({ gateway, device = '', weight = 1, onLink = false }) => `${gateway ? formatIp(gateway) : ''}%${device}*${weight}${onLink ? '!' : ''}`,
  )
  return `${type} ${source ? formatIp(source) : ''} ${hops.join(' ')}`
}

/**
 * The way without the next hops whose devices are absent or down: the kernel would refuse it for one of them. Undefined: none is left.
 * @returns the same object when all are there
 */
export function usableWay(way: Way, devices: Devices): Way | undefined {
  const nextHops = way.nextHops.filter(({ device }) => device === undefined || devices.get(device)?.isUp)
  if (nextHops.length === way.nextHops.length) return way
  return nextHops.length === 0 ? undefined : { ...way, nextHops }
}

/** Why next hops of a way are not usable. */
export function obstacleOf(way: Way, devices: Devices): string {
  const faults = way.nextHops.flatMap(({ device }) => {
    const found = device === undefined || devices.get(device)
    return found === true || (found && found.isUp) ? [] : [found ? `device ${device} is down` : `there is no device ${device}`]
  })
  return [...new Set(faults)].join(', ')
}

/** A way in the kernel's terms. Devices must be there. */
export function toKernelHops(way: Way, devices: Devices): readonly KernelNextHop[] {
  return way.nextHops.map(({ gateway, device, weight = 1, onLink = false }) => ({
    ...(gateway && { gateway }),
    link: device === undefined ? 0 : (devices.get(device)?.index ?? 0),
    weight,
    flags: onLink ? NEXT_HOP_ONLINK : 0,
  }))
}

/** Whether what the kernel has is what is wanted. The order of next hops does not count, nor the device where none is asked for. */
export function isSameWay(way: Way, found: FoundWay, devices: Devices): boolean {
  if (ROUTE_TYPES[way.type] !== found.type || !sameBytes(way.source, found.source)) return false
  if (way.type !== 'unicast') return true
  if (way.nextHops.length !== found.nextHops.length) return false
  const left = [...found.nextHops]
  return way.nextHops.every((hop) => {
    const at = left.findIndex((other) => isSameHop(hop, other, way.nextHops.length > 1, devices))
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  })
}

function isSameHop(hop: FibNextHop, found: KernelNextHop, isMultipath: boolean, devices: Devices): boolean {
  return (
    sameBytes(hop.gateway, found.gateway) &&
    (hop.device === undefined || devices.get(hop.device)?.index === found.link) &&
    (!isMultipath || (hop.weight ?? 1) === found.weight) &&
    (hop.onLink ?? false) === ((found.flags & NEXT_HOP_ONLINK) !== 0)
  )
}

const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean => (a && b ? compareIp(a, b) === 0 : a === b)

/** Reads the ways of many routes, and gives those that look the same in the message as one object: there are few. */
export class FoundWays {
  readonly #known = new Map<string, FoundWay>()
  #bytes: Uint8Array = new Uint8Array(0)
  #raw: Buffer = Buffer.alloc(0)

  /** @throws NetlinkFormatError */
  of(message: MessageCursor): FoundWay {
    const { bytes, start, end } = message
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    // family, protocol, type and flags; then the attributes that matter
    let signature = `${bytes[start]} ${bytes[start + 5]} ${bytes[start + 7]} ${bytes[start + 8]}`
    const attributes = new AttributeCursor(bytes, start + 12, end)
    while (attributes.next()) {
      if (COUNTS.has(attributes.type)) signature += `;${attributes.type}=${this.#raw.toString('latin1', attributes.start, attributes.end)}`
    }
    let way = this.#known.get(signature)
    if (!way) {
      const { protocol, type, nextHops, source } = readRoute(message)
      this.#known.set(signature, (way = { protocol, type, nextHops, source }))
    }
    return way
  }
}

const COUNTS: ReadonlySet<number> = new Set([RTA.link, RTA.gateway, RTA.source, RTA.multipath, RTA.via])
