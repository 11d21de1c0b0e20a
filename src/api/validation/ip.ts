import { isIP, isIPv6 } from 'node:net'
import type { FieldErrors } from './field-errors.ts'

/** Checks an IP address; leading zeros and IPv4-mapped IPv6 are refused because programs read them differently. */
export function checkIp(errors: FieldErrors, field: string, value: string): boolean {
  if (isIP(value) === 0 || value.includes('%')) {
    errors.invalid(field, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')
    return false
  }
  if (isMapped(value)) {
    errors.invalid(field, value, 'must not be an IPv4-mapped IPv6 address')
    return false
  }
  return true
}

/** Checks a prefix such as `10.9.8.0/24`: no bits may be set beyond its length. */
export function checkCidr(errors: FieldErrors, field: string, value: string): boolean {
  const prefix = parseCidr(value)
  if (!prefix) {
    errors.invalid(field, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')
    return false
  }
  if (isMapped(value.split('/')[0]!)) {
    errors.invalid(field, value, 'must not have an IPv4-mapped IPv6 address')
    return false
  }
  if (maskBits(prefix.bits, prefix.length, prefix.width) !== prefix.bits) {
    errors.invalid(field, value, 'must not have bits set beyond the prefix length')
    return false
  }
  return true
}

/**
 * Checks that `value` can be the address of an endpoint: not unspecified and not link-local. Loopback, which upstream refuses,
 * is allowed: pods of a node without its own network have loopback addresses.
 * Source: k8s.io/kubernetes validation.ValidateEndpointIP.
 */
export function checkEndpointIp(errors: FieldErrors, field: string, value: string): void {
  if (isIP(value) === 0) return errors.invalid(field, value, 'must be a valid IP address')
  if (inCidr(value, '0.0.0.0/32') || inCidr(value, '::/128')) errors.invalid(field, value, `may not be unspecified (${value})`)
  if (inCidr(value, '169.254.0.0/16') || inCidr(value, 'fe80::/10')) {
    errors.invalid(field, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)')
  }
  if (inCidr(value, '224.0.0.0/24') || inCidr(value, 'ff02::/16')) {
    errors.invalid(field, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)')
  }
}

/** One address of each family, in any order. */
export function isDualStack(values: readonly string[]): boolean {
  return values.some((value) => isIPv6(hostOf(value))) && values.some((value) => !isIPv6(hostOf(value)))
}

/** An address in the one form that RFC 5952 prefers. The address must be valid. */
export function canonicalIp(value: string): string {
  return isIPv6(value) ? new URL(`http://[${value}]/`).hostname.slice(1, -1) : value
}

/** Whether a prefix lies strictly within another; both must be valid and of one family, else false. */
export function isProperSubnet(inner: string, outer: string): boolean {
  const a = parseCidr(inner)
  const b = parseCidr(outer)
  if (!a || !b || a.width !== b.width || a.length <= b.length) return false
  return maskBits(a.bits, b.length, a.width) === maskBits(b.bits, b.length, b.width)
}

interface Prefix {
  readonly bits: bigint
  readonly length: number
  readonly width: 32 | 128
}

function parseCidr(value: string): Prefix | undefined {
  const slash = value.indexOf('/')
  const address = value.slice(0, Math.max(slash, 0))
  const lengthText = value.slice(slash + 1)
  const family = isIP(address)
  if (slash < 0 || family === 0 || address.includes('%') || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined
  const width = family === 4 ? 32 : 128
  const length = Number(lengthText)
  return length > width ? undefined : { bits: ipBits(address), length, width }
}

function inCidr(address: string, cidr: string): boolean {
  const prefix = parseCidr(cidr)!
  const width = isIPv6(address) ? 128 : 32
  return prefix.width === width && maskBits(ipBits(address), prefix.length, width) === prefix.bits
}

function maskBits(bits: bigint, length: number, width: number): bigint {
  const rest = BigInt(width - length)
  return (bits >> rest) << rest
}

function ipBits(address: string): bigint {
  if (!isIPv6(address)) return address.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n)
  const [head = '', tail] = canonicalIp(address).split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros: string[] = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

function isMapped(address: string): boolean {
  return isIPv6(address) && canonicalIp(address).startsWith('::ffff:')
}

function hostOf(value: string): string {
  return value.split('/')[0]!
}
