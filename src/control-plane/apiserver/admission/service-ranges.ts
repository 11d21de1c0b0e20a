import { addressInPrefix, formatIp, formatPrefix, parseIp, parsePrefix, prefixContains, type IpPrefix } from '../../../base/ip.ts'

/** Addresses of services of one family. */
export interface ServiceRange {
  readonly family: 'IPv4' | 'IPv6'
  /** As CIDR. */
  readonly text: string
  readonly prefix: IpPrefix
  /** Addresses that can be given out; the first and, with IPv4, the last of the CIDR cannot. */
  readonly count: number
  /** Addresses at the start that are given out last: people choose addresses there by hand. Source: KEP-3070. */
  readonly reserved: number
}

/** A setting of service addresses that cannot be meant. Code `BAD_SERVICE_CIDR`. */
export class ServiceCidrError extends Error {
  override readonly name = 'ServiceCidrError'
  readonly code = 'BAD_SERVICE_CIDR'
}

const MIN_ADDRESSES = 8
/** Offsets are numbers; nobody uses up more. */
const MAX_COUNT = 2 ** 32

/**
 * Reads `10.96.0.0/16` or `10.96.0.0/16,fd00:10:96::/112`: one range per family, the first is the one services get by default.
 * @throws ServiceCidrError
 */
export function parseServiceRanges(text: string): ServiceRange[] {
  const ranges = text.split(',').map((part) => {
    const prefix = part.includes('/') ? parsePrefix(part.trim()) : undefined
    if (!prefix) throw new ServiceCidrError(`service address range "${part.trim()}" is not a CIDR; write one such as 10.96.0.0/16`)
    return rangeOf(prefix)
  })
  if (ranges.length > 2 || (ranges.length === 2 && ranges[0]?.family === ranges[1]?.family))
    throw new ServiceCidrError(
      `service address range "${text}" has more than one range of a family; give one IPv4 and one IPv6 range at most`,
    )
  return ranges
}

/** The address number `offset` of those that can be given out, from 0. */
export function serviceAddressAt(range: ServiceRange, offset: number): string {
  const bytes = addressInPrefix(range.prefix, BigInt(offset) + 1n)
  if (!bytes) throw new RangeError(`no address ${offset} in ${range.text}`)
  return formatIp(bytes)
}

/** Whether an address can be given out. */
export function isServiceAddress(range: ServiceRange, address: string): boolean {
  const bytes = parseIp(address)
  if (!bytes || !prefixContains(range.prefix, bytes)) return false
  const text = formatIp(bytes)
  return text !== formatIp(range.prefix.bytes) && (range.family === 'IPv6' || text !== lastAddress(range.prefix))
}

/** One spelling per address, for keys. */
export function canonicalAddress(address: string): string {
  const bytes = parseIp(address)
  return bytes ? formatIp(bytes) : address
}

function rangeOf(prefix: IpPrefix): ServiceRange {
  const text = formatPrefix(prefix)
  const size = 2 ** (prefix.bytes.length * 8 - prefix.length)
  if (size < MIN_ADDRESSES) throw new ServiceCidrError(`service address range ${text} has fewer than ${MIN_ADDRESSES} addresses`)
  const count = Math.min(prefix.family === 4 ? size - 2 : size - 1, MAX_COUNT)
  return { family: prefix.family === 4 ? 'IPv4' : 'IPv6', text, prefix, count, reserved: reservedShare(size, { step: 16, max: 256 }) }
}

/** How many of `size` values are kept for choices by hand: at least 16, none of a very small range. */
export function reservedShare(size: number, { step, max }: { readonly step: number; readonly max: number }): number {
  return size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / step)), max)
}

function lastAddress(prefix: IpPrefix): string {
  const size = 1n << BigInt(prefix.bytes.length * 8 - prefix.length)
  return formatIp(addressInPrefix(prefix, size - 1n) ?? prefix.bytes)
}
