/**
 * The normal form of an attribute set, in which routes are stored, compared and judged: the length of the next hop, the next hop, then the
 * attributes as on the wire, ascending by type, with 4-byte AS numbers and the flags of their definition. NEXT_HOP, MP_REACH_NLRI, MP_UNREACH_NLRI,
 * AS4_PATH and AS4_AGGREGATOR are never in it. Equal sets have equal bytes.
 */

/** Attribute types (IANA). */
export const ATTRIBUTE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPreference: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  ipv6ExtendedCommunities: 25,
  largeCommunities: 32,
  onlyToCustomer: 35,
} as const

/** Names as the RFCs write them. */
export function attributeName(type: number): string {
  return ATTRIBUTE_NAMES[type] ?? `attribute ${type}`
}

const ATTRIBUTE_NAMES: Readonly<Record<number, string>> = {
  1: 'ORIGIN',
  2: 'AS_PATH',
  3: 'NEXT_HOP',
  4: 'MULTI_EXIT_DISC',
  5: 'LOCAL_PREF',
  6: 'ATOMIC_AGGREGATE',
  7: 'AGGREGATOR',
  8: 'COMMUNITIES',
  9: 'ORIGINATOR_ID',
  10: 'CLUSTER_LIST',
  14: 'MP_REACH_NLRI',
  15: 'MP_UNREACH_NLRI',
  16: 'EXTENDED_COMMUNITIES',
  17: 'AS4_PATH',
  18: 'AS4_AGGREGATOR',
  25: 'IPV6_EXTENDED_COMMUNITIES',
  32: 'LARGE_COMMUNITY',
  35: 'OTC',
}

export const FLAG = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const

/** Flags of known attributes (optional and transitive bits); undefined for the others. */
export const ATTRIBUTE_FLAGS: readonly (number | undefined)[] = Array.from({ length: 256 }, (_, type) => {
  switch (type) {
    case ATTRIBUTE.origin:
    case ATTRIBUTE.asPath:
    case ATTRIBUTE.nextHop:
    case ATTRIBUTE.localPreference:
    case ATTRIBUTE.atomicAggregate:
      return FLAG.transitive
    case ATTRIBUTE.med:
    case ATTRIBUTE.originatorId:
    case ATTRIBUTE.clusterList:
    case ATTRIBUTE.mpReach:
    case ATTRIBUTE.mpUnreach:
      return FLAG.optional
    case ATTRIBUTE.aggregator:
    case ATTRIBUTE.communities:
    case ATTRIBUTE.extendedCommunities:
    case ATTRIBUTE.as4Path:
    case ATTRIBUTE.as4Aggregator:
    case ATTRIBUTE.ipv6ExtendedCommunities:
    case ATTRIBUTE.largeCommunities:
    case ATTRIBUTE.onlyToCustomer:
      return FLAG.optional | FLAG.transitive
    default:
      return undefined
  }
})

/** AS_PATH segment types (RFC 4271 4.3, RFC 5065). */
export const SEGMENT = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const

/**
 * The parts of one block, found without allocating: offsets into `bytes`, and the numbers that selection and policies read. Made once, loaded
 * many times.
 */
export class AttributeFacts {
  bytes: Uint8Array = new Uint8Array(0)
  nextHopOffset: number = 0
  /** 0, 4, 16 or 32 (global and link-local). */
  nextHopLength: number = 0
  /** Start of the attributes behind the next hop, and their end. */
  attributesOffset: number = 0
  end: number = 0
  origin: number = 0
  asPathOffset: number = 0
  asPathBytes: number = 0
  /** As best path selection counts it: a set is one, confederation segments are none. */
  asPathLength: number = 0
  /** First AS of a path that begins with a sequence, else 0. */
  neighbourAs: number = 0
  /** Last AS of a path that ends with a sequence, else 0. */
  originAs: number = 0
  hasMed: boolean = false
  med: number = 0
  hasLocalPreference: boolean = false
  /** 100 when absent. */
  localPreference: number = 100
  communitiesOffset: number = 0
  communitiesBytes: number = 0
  largeCommunitiesOffset: number = 0
  largeCommunitiesBytes: number = 0
  /** 0 when absent. */
  originatorId: number = 0
  clusterListOffset: number = 0
  clusterListBytes: number = 0
  hasOnlyToCustomer: boolean = false
  onlyToCustomer: number = 0

  /** Reads a block in normal form; anything else gives nonsense. */
  load(bytes: Uint8Array, offset: number, length: number): this {
    this.bytes = bytes
    this.nextHopLength = bytes[offset] as number
    this.nextHopOffset = offset + 1
    this.attributesOffset = offset + 1 + this.nextHopLength
    this.end = offset + length
    this.origin = this.asPathBytes = this.asPathLength = this.neighbourAs = this.originAs = this.med = 0
    this.hasMed = this.hasLocalPreference = this.hasOnlyToCustomer = false
    this.localPreference = 100
    this.communitiesBytes = this.largeCommunitiesBytes = this.originatorId = this.clusterListBytes = this.onlyToCustomer = 0
    let at = this.attributesOffset
    while (at < this.end) {
      const wide = ((bytes[at] as number) & FLAG.extendedLength) !== 0
      const type = bytes[at + 1] as number
      const size = wide ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : (bytes[at + 2] as number)
      at += wide ? 4 : 3
      this.#note(type, at, size)
      at += size
    }
    return this
  }

  #note(type: number, at: number, size: number): void {
    switch (type) {
      case ATTRIBUTE.origin:
        this.origin = this.bytes[at] as number
        break
      case ATTRIBUTE.asPath:
        this.asPathOffset = at
        this.asPathBytes = size
        this.#countPath()
        break
      case ATTRIBUTE.med:
        this.hasMed = true
        this.med = readU32(this.bytes, at)
        break
      case ATTRIBUTE.localPreference:
        this.hasLocalPreference = true
        this.localPreference = readU32(this.bytes, at)
        break
      case ATTRIBUTE.communities:
        this.communitiesOffset = at
        this.communitiesBytes = size
        break
      case ATTRIBUTE.originatorId:
        this.originatorId = readU32(this.bytes, at)
        break
      case ATTRIBUTE.clusterList:
        this.clusterListOffset = at
        this.clusterListBytes = size
        break
      case ATTRIBUTE.largeCommunities:
        this.largeCommunitiesOffset = at
        this.largeCommunitiesBytes = size
        break
      case ATTRIBUTE.onlyToCustomer:
        this.hasOnlyToCustomer = true
        this.onlyToCustomer = readU32(this.bytes, at)
        break
      default:
    }
  }

  #countPath(): void {
    const { bytes, asPathOffset } = this
    const end = asPathOffset + this.asPathBytes
    let at = asPathOffset
    if (at < end && bytes[at] === SEGMENT.sequence) this.neighbourAs = readU32(bytes, at + 2)
    while (at < end) {
      const kind = bytes[at] as number
      const count = bytes[at + 1] as number
      if (kind === SEGMENT.sequence) this.asPathLength += count
      else if (kind === SEGMENT.set) this.asPathLength++
      at += 2 + 4 * count
      if (at >= end) this.originAs = kind === SEGMENT.sequence ? readU32(bytes, at - 4) : 0
    }
  }

  /** How often an AS stands anywhere in the path. */
  countAs(as: number): number {
    const { bytes, asPathOffset } = this
    const end = asPathOffset + this.asPathBytes
    let found = 0
    for (let at = asPathOffset; at < end;) {
      const next = at + 2 + 4 * (bytes[at + 1] as number)
      for (let one = at + 2; one < next; one += 4) if (readU32(bytes, one) === as) found++
      at = next
    }
    return found
  }

  hasCommunity(community: number): boolean {
    const end = this.communitiesOffset + this.communitiesBytes
    for (let at = this.communitiesOffset; at < end; at += 4) if (readU32(this.bytes, at) === community) return true
    return false
  }
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
  )
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
