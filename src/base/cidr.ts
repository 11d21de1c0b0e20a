/** An IPv4 range. IPv6 ranges come with the pod network. */
export interface Ipv4Range {
  /** First address as a number. */
  readonly base: number
  readonly prefix: number
  /** Number of addresses. */
  readonly size: number
}

/** Parses `10.96.0.0/16`. @returns undefined when it is not an IPv4 CIDR; bits behind the prefix are cleared */
export function parseIpv4Range(text: string): Ipv4Range | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d|[12]\d|3[0-2])$/.exec(text)
  const address = match ? parseIpv4(match[1] as string) : undefined
  const prefix = Number(match?.[2])
  if (address === undefined) return undefined
  const size = 2 ** (32 - prefix)
  return { base: address - (address % size), prefix, size }
}

/** The address as a number, or undefined. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** The address at `offset` in a range. */
export function addressAt(range: Ipv4Range, offset: number): string {
  return formatIpv4(range.base + offset)
}

/** Where in the range an address lies, or undefined when outside. */
export function offsetIn(range: Ipv4Range, address: string): number | undefined {
  const value = parseIpv4(address)
  return value !== undefined && value >= range.base && value < range.base + range.size ? value - range.base : undefined
}
