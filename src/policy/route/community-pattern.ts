import { readU32 } from '../../protocols/bgp/attribute-block.ts'

/** Parts of a community, -1 for any value: two of 16 bits, or three of 32 bits for a large one. */
export type CommunityPattern = readonly number[]

/** Well-known communities by the names the field uses. */
export const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, number>> = {
  /** RFC 8326. */
  'graceful-shutdown': 0xffff0000,
  /** RFC 7999. */
  blackhole: 0xffff029a,
  'no-export': 0xffffff01,
  'no-advertise': 0xffffff02,
  'no-export-subconfed': 0xffffff03,
}

/** Reads `65000:1`, `65000:*`, a well-known name; with `large`, `65000:1:2`. @returns undefined when it is none */
export function parseCommunity(text: string, large: boolean): CommunityPattern | undefined {
  const known = large ? undefined : WELL_KNOWN_COMMUNITIES[text]
  if (known !== undefined) return [known >>> 16, known & 0xffff]
  const parts = text.split(':')
  const most = large ? 0xffffffff : 0xffff
  if (parts.length !== (large ? 3 : 2)) return undefined
  const numbers = parts.map((part) => (part === '*' ? -1 : /^(0|[1-9]\d{0,9})$/.test(part) ? Number(part) : Number.NaN))
  return numbers.every((number) => number <= most) ? numbers : undefined
}

/** `65000:1`, or the name of a well-known one. */
export function formatCommunity(community: number): string {
  const name = Object.keys(WELL_KNOWN_COMMUNITIES).find((one) => WELL_KNOWN_COMMUNITIES[one] === community)
  return name ?? `${community >>> 16}:${community & 0xffff}`
}

/** Whether the community at this place fits. */
export function communityFits(pattern: CommunityPattern, bytes: Uint8Array, at: number): boolean {
  const [a, b, c] = pattern as readonly [number, number, number | undefined]
  const first = readU32(bytes, at)
  if (c === undefined) return (a < 0 || first >>> 16 === a) && (b < 0 || (first & 0xffff) === b)
  return (a < 0 || first === a) && (b < 0 || readU32(bytes, at + 4) === b) && (c < 0 || readU32(bytes, at + 8) === c)
}

/** Whether one of the communities in a range fits. */
export function hasFitting(pattern: CommunityPattern, bytes: Uint8Array, offset: number, length: number): boolean {
  const size = pattern.length === 2 ? 4 : 12
  for (let at = offset; at < offset + length; at += size) if (communityFits(pattern, bytes, at)) return true
  return false
}
