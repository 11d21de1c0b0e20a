import { formatIp, parseIp, parsePrefix } from '../../../base/ip.ts'

/** Addresses of one family, from `first` to `last`, both included. */
export interface AddressRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

/** Reads `192.0.2.0/24`, `192.0.2.10-192.0.2.20` or one address. Undefined when it is none of these, or when the end comes before the start. */
export function parseAddressRange(text: string): AddressRange | undefined {
  const dash = text.indexOf('-')
  if (dash >= 0) {
    const [first, last] = [parseIp(text.slice(0, dash).trim()), parseIp(text.slice(dash + 1).trim())]
    if (!first || first.length !== last?.length) return undefined
    const range = { family: familyOf(first), first: toNumber(first), last: toNumber(last) }
    return range.first <= range.last ? range : undefined
  }
  const prefix = parsePrefix(text)
  if (!prefix) return undefined
  const first = toNumber(prefix.bytes)
  return { family: prefix.family, first, last: first + (1n << BigInt(prefix.bytes.length * 8 - prefix.length)) - 1n }
}

/** The text of an address of a range. */
export function addressText(family: 4 | 6, address: bigint): string {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  for (let i = bytes.length - 1, rest = address; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return formatIp(bytes)
}

/** One address as a range of its own, or undefined. */
export function addressValue(text: string): { readonly family: 4 | 6; readonly address: bigint } | undefined {
  const bytes = parseIp(text)
  return bytes && { family: familyOf(bytes), address: toNumber(bytes) }
}

/** What two ranges have in common, or undefined. */
export function commonRange(a: AddressRange, b: AddressRange): AddressRange | undefined {
  if (a.family !== b.family) return undefined
  const first = a.first > b.first ? a.first : b.first
  const last = a.last < b.last ? a.last : b.last
  return first <= last ? { family: a.family, first, last } : undefined
}

/** `192.0.2.10-192.0.2.20`, or the address alone where there is one. */
export function rangeText({ family, first, last }: AddressRange): string {
  return first === last ? addressText(family, first) : `${addressText(family, first)}-${addressText(family, last)}`
}

const familyOf = (bytes: Uint8Array): 4 | 6 => (bytes.length === 4 ? 4 : 6)

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
