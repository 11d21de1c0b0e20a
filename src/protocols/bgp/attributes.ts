import type { IpBytes } from '../../base/ip.ts'
import { decodeAsPath, encodeAsPath } from './as-path.ts'
import { ATTRIBUTE, ATTRIBUTE_FLAGS, FLAG, readU32, writeU32 } from './attribute-block.ts'
import type { LargeCommunity, PathAttributes, UnknownAttribute } from './message.ts'

/** The values of a block in normal form: for explanations, tests and cold paths. A link-local next hop comes apart. */
export function decodeBlock(bytes: Uint8Array, offset: number, length: number): { attributes: PathAttributes; linkLocal?: IpBytes } {
  const hop = bytes[offset] as number
  const at = offset + 1
  const out: Mutable = {}
  if (hop > 0) out.nextHop = bytes.slice(at, at + Math.min(hop, 16))
  for (let i = at + hop; i < offset + length;) {
    const flags = bytes[i] as number
    const wide = (flags & FLAG.extendedLength) !== 0
    const size = wide ? ((bytes[i + 2] as number) << 8) | (bytes[i + 3] as number) : (bytes[i + 2] as number)
    const start = i + (wide ? 4 : 3)
    decodeInto(out, bytes[i + 1] as number, flags & ~FLAG.extendedLength, bytes.subarray(start, start + size))
    i = start + size
  }
  return hop === 32 ? { attributes: out, linkLocal: bytes.slice(at + 16, at + 32) } : { attributes: out }
}

type Mutable = { -readonly [K in keyof PathAttributes]: PathAttributes[K] }

function decodeInto(out: Mutable, type: number, flags: number, value: Uint8Array): void {
  switch (type) {
    case ATTRIBUTE.origin:
      out.origin = value[0] as number
      break
    case ATTRIBUTE.asPath:
      out.asPath = decodeAsPath(value, 0, value.length, 4)
      break
    case ATTRIBUTE.med:
      out.med = readU32(value, 0)
      break
    case ATTRIBUTE.localPreference:
      out.localPreference = readU32(value, 0)
      break
    case ATTRIBUTE.atomicAggregate:
      out.atomicAggregate = true
      break
    case ATTRIBUTE.aggregator:
      out.aggregator = { as: readU32(value, 0), address: readU32(value, 4) }
      break
    case ATTRIBUTE.communities:
      out.communities = words(value)
      break
    case ATTRIBUTE.originatorId:
      out.originatorId = readU32(value, 0)
      break
    case ATTRIBUTE.clusterList:
      out.clusterList = words(value)
      break
    case ATTRIBUTE.extendedCommunities:
      out.extendedCommunities = value.slice()
      break
    case ATTRIBUTE.largeCommunities:
      out.largeCommunities = largeCommunities(value)
      break
    case ATTRIBUTE.onlyToCustomer:
      out.onlyToCustomer = readU32(value, 0)
      break
    default:
      out.unknown = [...(out.unknown ?? []), { flags, type, value: value.slice() }]
  }
}

/** The block of attributes in normal form. `linkLocal` follows a next hop of 16 bytes. Unknown attributes must be of types not known here. */
export function encodeBlock(attributes: PathAttributes, linkLocal?: IpBytes): Uint8Array {
  const { nextHop } = attributes
  const hop = nextHop ? [...nextHop, ...(linkLocal && nextHop.length === 16 ? linkLocal : [])] : []
  const parts = [Uint8Array.of(hop.length, ...hop), ...sorted(attributes).map(encodeAttribute)]
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function sorted(attributes: PathAttributes): UnknownAttribute[] {
  const out: UnknownAttribute[] = [...(attributes.unknown ?? [])]
  const put = (type: number, value: Uint8Array | undefined): void => {
    if (value) out.push({ type, flags: ATTRIBUTE_FLAGS[type] as number, value })
  }
  const { origin, asPath, med, localPreference, aggregator, communities, originatorId, clusterList, extendedCommunities } = attributes
  put(ATTRIBUTE.origin, origin === undefined ? undefined : Uint8Array.of(origin))
  put(ATTRIBUTE.asPath, asPath && encodeAsPath(asPath, 4))
  put(ATTRIBUTE.med, bytesOf([med]))
  put(ATTRIBUTE.localPreference, bytesOf([localPreference]))
  put(ATTRIBUTE.atomicAggregate, attributes.atomicAggregate ? new Uint8Array(0) : undefined)
  put(ATTRIBUTE.aggregator, aggregator && bytesOf([aggregator.as, aggregator.address]))
  put(ATTRIBUTE.communities, communities?.length ? bytesOf(communities) : undefined)
  put(ATTRIBUTE.originatorId, bytesOf([originatorId]))
  put(ATTRIBUTE.clusterList, clusterList?.length ? bytesOf(clusterList) : undefined)
  put(ATTRIBUTE.extendedCommunities, extendedCommunities?.length ? extendedCommunities : undefined)
  const large = attributes.largeCommunities?.flatMap(({ admin, data1, data2 }) => [admin, data1, data2])
  put(ATTRIBUTE.largeCommunities, large?.length ? bytesOf(large) : undefined)
  put(ATTRIBUTE.onlyToCustomer, bytesOf([attributes.onlyToCustomer]))
  return out.sort((a, b) => a.type - b.type)
}

function encodeAttribute({ type, flags, value }: UnknownAttribute): Uint8Array {
  const wide = value.length > 255
  const out = new Uint8Array((wide ? 4 : 3) + value.length)
  out[0] = wide ? flags | FLAG.extendedLength : flags & ~FLAG.extendedLength
  out[1] = type
  if (wide) out[2] = value.length >> 8
  out[wide ? 3 : 2] = value.length
  out.set(value, wide ? 4 : 3)
  return out
}

function bytesOf(values: readonly (number | undefined)[]): Uint8Array | undefined {
  const out = new Uint8Array(4 * values.length)
  for (const [i, value] of values.entries()) {
    if (value === undefined) return undefined
    writeU32(out, 4 * i, value)
  }
  return out
}

function words(value: Uint8Array): number[] {
  return Array.from({ length: value.length >> 2 }, (_, i) => readU32(value, 4 * i))
}

function largeCommunities(value: Uint8Array): LargeCommunity[] {
  return Array.from({ length: Math.floor(value.length / 12) }, (_, i) => ({
    admin: readU32(value, 12 * i),
    data1: readU32(value, 12 * i + 4),
    data2: readU32(value, 12 * i + 8),
  }))
}
