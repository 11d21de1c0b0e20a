/**
 * IP addresses and prefixes of both families, as bytes in network order: the form of wire formats, set elements and the kernel. Text is
 * read strictly (no leading zeros, no zone) and written as RFC 5952 prefers.
 */

/** An address: 4 bytes for IPv4, 16 for IPv6, network order. */
export type IpBytes = Uint8Array

export interface IpPrefix {
  readonly family: 4 | 6
  /** Bits behind `length` are zero. */
  readonly bytes: IpBytes
  /** 0 to 32 or 0 to 128. */
  readonly length: number
}

/** Bytes of an address, or undefined when `text` is none. `::ffff:1.2.3.4` is read as IPv6. */
export function parseIp(text: string): IpBytes | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4Bytes(text)
}

/** Text of 4 or 16 bytes; IPv6 as RFC 5952. */
export function formatIp(bytes: IpBytes): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number))
  const zeros = longestZeroRun(groups)
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (zeros.length < 2) return hex(groups)
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`
}

/** Reads `10.0.0.0/8` or `2001:db8::/32`; a bare address is a prefix of full length. Bits behind the length are cleared. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/')
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (!bytes) return undefined
  const lengthText = slash < 0 ? String(bytes.length * 8) : text.slice(slash + 1)
  const length = /^(0|[1-9]\d{0,2})$/.test(lengthText) ? Number(lengthText) : NaN
  return length <= bytes.length * 8 ? prefixOf(bytes, length) : undefined
}

export function formatPrefix(prefix: IpPrefix): string {
  return `${formatIp(prefix.bytes)}/${prefix.length}`
}

/** The prefix of `length` bits that holds an address. */
export function prefixOf(bytes: IpBytes, length: number): IpPrefix {
  return { family: bytes.length === 4 ? 4 : 6, bytes: maskIp(bytes, length), length }
}

/** A copy with the bits behind `length` cleared. */
export function maskIp(bytes: IpBytes, length: number): IpBytes {
  return bytes.map((byte, i) => byte & (0xff00 >> Math.min(Math.max(length - 8 * i, 0), 8)) & 0xff)
}

/** Whether an address, or a whole prefix, lies within `outer`; false across families. */
export function prefixContains(outer: IpPrefix, inner: IpBytes | IpPrefix): boolean {
  const bytes = 'bytes' in inner ? inner.bytes : inner
  const length = 'bytes' in inner ? inner.length : inner.length * 8
  if (bytes.length !== outer.bytes.length || length < outer.length) return false
  const whole = outer.length >> 3
  for (let i = 0; i < whole; i++) if (bytes[i] !== outer.bytes[i]) return false
  const mask = (0xff00 >> (outer.length & 7)) & 0xff
  return mask === 0 || ((bytes[whole] as number) & mask) === outer.bytes[whole]
}

/** Order by bytes; IPv4 before IPv6. */
export function compareIp(a: IpBytes, b: IpBytes): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** The address `offset` after the first of `prefix`, or undefined when it lies outside. */
export function addressInPrefix(prefix: IpPrefix, offset: bigint): IpBytes | undefined {
  const bits = BigInt(prefix.bytes.length * 8 - prefix.length)
  if (offset < 0n || offset >> bits !== 0n) return undefined
  const out = prefix.bytes.slice()
  let rest = offset
  for (let i = out.length - 1; rest > 0n; i--) {
    out[i] = (out[i] as number) | Number(rest & 0xffn)
    rest >>= 8n
  }
  return out
}

function parseIpv4Bytes(text: string): IpBytes | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = new Uint8Array(4)
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    bytes[i] = Number(part)
  }
  return bytes
}

function parseIpv6(text: string): IpBytes | undefined {
  const lastColon = text.lastIndexOf(':')
  const tail = text.slice(lastColon + 1)
  if (tail.includes('.')) {
    const v4 = parseIpv4Bytes(tail)
    if (!v4) return undefined
    const [a, b, c, d] = v4 as unknown as [number, number, number, number]
    return parseIpv6(`${text.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`)
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const left = groupsOf(halves[0] as string)
  const right = halves.length === 2 ? groupsOf(halves[1] as string) : []
  if (!left || !right) return undefined
  const missing = 8 - left.length - right.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...left, ...Array.from({ length: missing }, () => 0), ...right]
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  return groups.every((group) => /^[\da-fA-F]{1,4}$/.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : undefined
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (end < groups.length && groups[end] === 0) end++
    if (end - start > best.length) best = { start, length: end - start }
  }
  return best
}
