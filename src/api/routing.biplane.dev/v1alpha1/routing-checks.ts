import { isIPv4 } from 'node:net'
import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'

export type AddressFamily = 'ipv4' | 'ipv6'

/** Inclusive; an end that is absent is open. */
export interface NumberRange {
  min?: number
  max?: number
}

export const MAX_ASN = 4_294_967_295

/** AS number, 1 to 4294967295; AS_TRANS and the last of 16 and 32 bits are reserved. Source: RFC 7607, RFC 7300, RFC 6793. */
export function checkAsn(errors: FieldErrors, field: string, value: number | undefined): void {
  if (value === undefined) return
  if (value < 1 || value > MAX_ASN) errors.invalid(field, value, `must be between 1 and ${MAX_ASN}, inclusive`)
  else if (value === 23_456 || value === 65_535 || value === MAX_ASN) errors.invalid(field, value, 'is a reserved AS number')
}

/** Absent is fine. */
export function checkBetween(errors: FieldErrors, field: string, value: number | undefined, low: number, high: number): void {
  if (value !== undefined && (value < low || value > high)) {
    errors.invalid(field, value, `must be between ${low} and ${high}, inclusive`)
  }
}

/** Four bytes written as an IPv4 address, not 0.0.0.0. Absent is fine. */
export function checkIdentifier(errors: FieldErrors, field: string, value: string | undefined): void {
  if (value === undefined) return
  if (!isIPv4(value) || value === '0.0.0.0') errors.invalid(field, value, 'must be in the form of an IPv4 address, and not 0.0.0.0')
}

/** An address that a peer or a gateway can have; with `zone` allowed, a link-local one may name its interface. */
export function checkUnicast(errors: FieldErrors, field: string, value: string, options: { readonly zone?: boolean } = {}): void {
  const percent = options.zone ? value.indexOf('%') : -1
  const address = parseIp(percent < 0 ? value : value.slice(0, percent))
  if (!address) return errors.invalid(field, value, 'must be an IP address')
  const isLinkLocal = address.length === 16 && address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80
  const isMulticast = address.length === 4 ? (address[0] as number) >= 224 : address[0] === 0xff
  if (isMulticast || address.every((byte) => byte === 0)) return errors.invalid(field, value, 'must be a unicast address')
  if (percent >= 0 && (!isLinkLocal || !/^[^\s/%]{1,15}$/.test(value.slice(percent + 1)))) {
    return errors.invalid(field, value, 'only a link-local address has an interface behind %, such as fe80::1%eth0')
  }
  if (options.zone && isLinkLocal && percent < 0) {
    errors.invalid(field, value, 'a link-local address needs its interface, such as fe80::1%eth0')
  }
}

/** A prefix with nothing behind its length. @returns its family */
export function checkPrefix(errors: FieldErrors, field: string, value: string): 4 | 6 | undefined {
  const prefix = value.includes('/') ? parsePrefix(value) : undefined
  if (!prefix) {
    errors.invalid(field, value, 'must be a prefix such as 10.0.0.0/8 or 2001:db8::/32')
    return undefined
  }
  const address = parseIp(value.slice(0, value.indexOf('/')))
  if (address?.some((byte, i) => byte !== prefix.bytes[i])) errors.invalid(field, value, 'must not have bits set beyond the prefix length')
  return prefix.family
}

export function checkNumberRange(errors: FieldErrors, field: string, range: NumberRange | undefined, highest: number): void {
  if (!range) return
  checkBetween(errors, `${field}.min`, range.min, 0, highest)
  checkBetween(errors, `${field}.max`, range.max, 0, highest)
  if ((range.min ?? 0) > (range.max ?? highest)) errors.invalid(field, range, 'min must not be above max')
}
