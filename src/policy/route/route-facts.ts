/** Where the parts of an attribute set lie, as a policy reads them. Offsets point into `bytes`; reused by callers in a hot path. */
export interface RouteFacts {
  bytes: Uint8Array
  nextHopOffset: number
  /** 0, 4, 16 or 32 bytes. */
  nextHopLength: number
  origin: number
  /** Segments with 4-byte AS numbers: kind, count, numbers (RFC 4271 4.3). */
  asPathOffset: number
  asPathBytes: number
  /** As best path selection counts. */
  asPathLength: number
  hasMed: boolean
  med: number
  hasLocalPreference: boolean
  /** 100 when absent. */
  localPreference: number
  communitiesOffset: number
  communitiesBytes: number
  largeCommunitiesOffset: number
  largeCommunitiesBytes: number
}
