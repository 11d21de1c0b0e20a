import { checkAsPath } from './as-path.ts'
import { ATTRIBUTE } from './attribute-block.ts'
import type { UpdateErrorAction, WireOptions } from './message.ts'

const MAX_SHORT_PATH_BYTES = 32767
const LARGE_COMMUNITY_BYTES = 12

export interface AttributeFailure {
  readonly action: UpdateErrorAction
  readonly section: string
  readonly reason: string
}

/** Judges the value of one known attribute (RFC 7606 section 7 and the RFCs of the newer ones). @returns undefined when it is right */
export function checkAttribute(
  type: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  options: WireOptions,
): AttributeFailure | undefined {
  const size = end - start
  switch (type) {
    case ATTRIBUTE.origin:
      if (size !== 1) return withdraw('7.1', `length ${size} is not 1`)
      return (bytes[start] as number) > 2 ? withdraw('7.1', `value ${bytes[start]} is not defined`) : undefined
    case ATTRIBUTE.asPath: {
      // with 4-byte numbers it would no longer fit an attribute
      if (!options.fourOctetAs && size > MAX_SHORT_PATH_BYTES) return withdraw('7.2', `${size} bytes are too many`)
      // no session is inside a confederation here, so its segments are errors from internal peers as well (RFC 5065 5)
      const wrong = checkAsPath(bytes, start, end, options.fourOctetAs ? 4 : 2, false)
      return wrong === undefined ? undefined : withdraw('7.2', wrong)
    }
    case ATTRIBUTE.nextHop:
      if (size !== 4) return withdraw('7.3', `length ${size} is not 4`)
      return isUsableNextHop(bytes, start, 4)
        ? undefined
        : failure('treat-as-withdraw', 'RFC 4271 6.3', 'the next hop is not an address of a host')
    case ATTRIBUTE.med:
      return size === 4 ? undefined : withdraw('7.4', `length ${size} is not 4`)
    case ATTRIBUTE.localPreference:
      if (!options.internal) return discard('7.5', 'it came from an external peer')
      return size === 4 ? undefined : withdraw('7.5', `length ${size} is not 4`)
    case ATTRIBUTE.atomicAggregate:
      return size === 0 ? undefined : discard('7.6', `length ${size} is not 0`)
    case ATTRIBUTE.aggregator: {
      const wanted = options.fourOctetAs ? 8 : 6
      return size === wanted ? undefined : discard('7.7', `length ${size} is not ${wanted}`)
    }
    case ATTRIBUTE.communities:
      return isMultiple(size, 4) ? undefined : withdraw('7.8', `length ${size} is not a multiple of 4`)
    case ATTRIBUTE.originatorId:
      if (!options.internal) return discard('7.9', 'it came from an external peer')
      return size === 4 ? undefined : withdraw('7.9', `length ${size} is not 4`)
    case ATTRIBUTE.clusterList:
      if (!options.internal) return discard('7.10', 'it came from an external peer')
      return isMultiple(size, 4) ? undefined : withdraw('7.10', `length ${size} is not a multiple of 4`)
    case ATTRIBUTE.extendedCommunities:
      return isMultiple(size, 8) ? undefined : withdraw('7.14', `length ${size} is not a multiple of 8`)
    case ATTRIBUTE.ipv6ExtendedCommunities:
      return isMultiple(size, 20) ? undefined : withdraw('7.15', `length ${size} is not a multiple of 20`)
    case ATTRIBUTE.largeCommunities:
      return isMultiple(size, LARGE_COMMUNITY_BYTES)
        ? undefined
        : failure('treat-as-withdraw', 'RFC 8092 5', `length ${size} is not a multiple of 12`)
    case ATTRIBUTE.onlyToCustomer:
      return size === 4 ? undefined : failure('treat-as-withdraw', 'RFC 9234 5', `length ${size} is not 4`)
    case ATTRIBUTE.as4Path: {
      if (options.fourOctetAs) return undefined
      const wrong = checkAsPath(bytes, start, end, 4, true)
      return wrong === undefined ? undefined : failure('attribute-discard', 'RFC 6793 6', wrong)
    }
    case ATTRIBUTE.as4Aggregator:
      if (options.fourOctetAs || size === 8) return undefined
      return failure('attribute-discard', 'RFC 6793 6', `length ${size} is not 8`)
    default:
      return undefined
  }
}

/** Large communities once each (RFC 8092 section 5), in the order they came; the bytes themselves when none repeats. */
export function withoutRepeats(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const value = bytes.subarray(start, end)
  if (end - start < 2 * LARGE_COMMUNITY_BYTES) return value
  const seen = new Set<string>()
  const kept: number[] = []
  for (let at = 0; at < value.length; at += LARGE_COMMUNITY_BYTES) {
    const one = value.subarray(at, at + LARGE_COMMUNITY_BYTES)
    const key = one.join()
    if (!seen.has(key)) kept.push(...one)
    seen.add(key)
  }
  return kept.length === value.length ? value : Uint8Array.from(kept)
}

/** Not unspecified, loopback, multicast or reserved. Of 32 bytes the first half counts. */
export function isUsableNextHop(bytes: Uint8Array, at: number, size: number): boolean {
  const first = bytes[at] as number
  if (size === 4) return first !== 0 && first !== 127 && first < 224
  if (first === 0xff) return false
  for (let i = 0; i < 15; i++) if (bytes[at + i] !== 0) return true
  return (bytes[at + 15] as number) > 1
}

function isMultiple(size: number, of: number): boolean {
  return size > 0 && size % of === 0
}

function failure(action: UpdateErrorAction, section: string, reason: string): AttributeFailure {
  return { action, section, reason }
}

function withdraw(section: string, reason: string): AttributeFailure {
  return failure('treat-as-withdraw', `RFC 7606 ${section}`, reason)
}

function discard(section: string, reason: string): AttributeFailure {
  return failure('attribute-discard', `RFC 7606 ${section}`, reason)
}
