import type { IpBytes } from '../../base/ip.ts'

/** The values of BGP-4 messages (RFC 4271) as they stand outside the bytes. Numbers of the registries are kept where they are open-ended. */

/** Unicast routes of one family: the only ones whose content is understood. */
export type Family = 4 | 6

/** An address family as on the wire. */
export interface AfiSafi {
  readonly afi: number
  readonly safi: number
}

/** Length of the marker, length and type before every message body. */
export const HEADER_BYTES = 19
/** Longest message without the extended message capability. */
export const MAX_MESSAGE_BYTES = 4096
/** Longest message with it (RFC 8654); OPEN and KEEPALIVE stay at 4096. */
export const MAX_EXTENDED_MESSAGE_BYTES = 65535
/** Stands for an AS number above 65535 where only two bytes fit (RFC 6793). */
export const AS_TRANS = 23456

export const MESSAGE_TYPE = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const
export type MessageType = (typeof MESSAGE_TYPE)[keyof typeof MESSAGE_TYPE]

export interface OpenMessage {
  readonly type: 'open'
  /** 4 is the only one spoken. */
  readonly version: number
  /** The two-byte field: AS_TRANS when `four-octet-as` carries the real one. */
  readonly as: number
  /** 0 or 3 to 65535. */
  readonly holdTimeSeconds: number
  /** BGP identifier, 32 bits, not 0 (RFC 6286). */
  readonly routerId: number
  readonly capabilities: readonly Capability[]
}

export interface KeepaliveMessage {
  readonly type: 'keepalive'
}

export interface NotificationMessage {
  readonly type: 'notification'
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

export interface RouteRefreshMessage extends AfiSafi {
  readonly type: 'route-refresh'
  /** 0 asks for the routes; 1 begins and 2 ends the answer (RFC 7313). */
  readonly subtype: number
}

export interface UpdateMessage {
  readonly type: 'update'
  readonly withdrawn: readonly Nlri[]
  readonly attributes: PathAttributes
  /** IPv4 unicast prefixes with the next hop of `attributes.nextHop`. */
  readonly announced: readonly Nlri[]
  readonly mpReach?: MpReach
  readonly mpUnreach?: MpUnreach
}

export type BgpMessage = OpenMessage | KeepaliveMessage | NotificationMessage | RouteRefreshMessage | UpdateMessage

/** A prefix of an UPDATE. */
export interface Nlri {
  readonly family: Family
  /** 4 or 16 bytes; bits behind `length` are zero. */
  readonly bytes: IpBytes
  readonly length: number
  /** Path identifier (RFC 7911); absent when add-path is not in use. */
  readonly pathId?: number
}

/** MP_REACH_NLRI (RFC 4760) of a unicast family. */
export interface MpReach {
  readonly family: Family
  /** 4 bytes, or 16; of IPv6 routes usually, of IPv4 routes by RFC 8950. */
  readonly nextHop: IpBytes
  /** Second half of a next hop of 32 bytes (RFC 2545). */
  readonly linkLocal?: IpBytes
  readonly nlri: readonly Nlri[]
}

export interface MpUnreach {
  readonly family: Family
  readonly nlri: readonly Nlri[]
}

export const ORIGIN = { igp: 0, egp: 1, incomplete: 2 } as const

export interface AsPathSegment {
  readonly kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set'
  /** 1 to 255 AS numbers. */
  readonly as: readonly number[]
}

export interface LargeCommunity {
  readonly admin: number
  readonly data1: number
  readonly data2: number
}

/** Path attributes except MP_REACH_NLRI and MP_UNREACH_NLRI. AS4_PATH and AS4_AGGREGATOR are merged away on decoding. */
export interface PathAttributes {
  readonly origin?: number
  readonly asPath?: readonly AsPathSegment[]
  readonly nextHop?: IpBytes
  readonly med?: number
  readonly localPreference?: number
  readonly atomicAggregate?: boolean
  readonly aggregator?: { readonly as: number; readonly address: number }
  /** Standard communities (RFC 1997), 32 bits each. */
  readonly communities?: readonly number[]
  readonly originatorId?: number
  readonly clusterList?: readonly number[]
  /** Extended communities (RFC 4360), 8 bytes each, carried through. */
  readonly extendedCommunities?: Uint8Array
  /** RFC 8092. */
  readonly largeCommunities?: readonly LargeCommunity[]
  /** OTC (RFC 9234): the AS that sent the route to a customer, peer or client first. */
  readonly onlyToCustomer?: number
  /** Not known here. Optional transitive ones travel on with the partial bit set. */
  readonly unknown?: readonly UnknownAttribute[]
}

export interface UnknownAttribute {
  readonly flags: number
  readonly type: number
  readonly value: Uint8Array
}

export interface GracefulRestartCapability {
  readonly kind: 'graceful-restart'
  /** R: the speaker has restarted. */
  readonly restarting: boolean
  /** N: NOTIFICATIONs and hold timer expiry also keep the routes (RFC 8538). */
  readonly notification: boolean
  /** 0 to 4095. */
  readonly restartTimeSeconds: number
  /** `forwarding` is the F bit: the forwarding state was kept. */
  readonly families: readonly (AfiSafi & { readonly forwarding: boolean })[]
}

export interface AddPathCapability {
  readonly kind: 'add-path'
  /** Mode: 1 receives, 2 sends, 3 both. */
  readonly families: readonly (AfiSafi & { readonly mode: number })[]
}

export interface ExtendedNextHopCapability {
  readonly kind: 'extended-next-hop'
  readonly entries: readonly (AfiSafi & { readonly nextHopAfi: number })[]
}

export type Capability =
  | ({ readonly kind: 'multiprotocol' } & AfiSafi)
  | { readonly kind: 'route-refresh' }
  | { readonly kind: 'enhanced-route-refresh' }
  | { readonly kind: 'extended-message' }
  | ExtendedNextHopCapability
  | GracefulRestartCapability
  | AddPathCapability
  | { readonly kind: 'four-octet-as'; readonly as: number }
  /** RFC 9234: 0 provider, 1 route server, 2 route server client, 3 customer, 4 peer. */
  | { readonly kind: 'role'; readonly role: number }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array }

/** What the two OPENs agreed on, as far as it changes how bytes are read and written. */
export interface WireOptions {
  /** Both speak 4-byte AS numbers. */
  readonly fourOctetAs: boolean
  /** Families in which the peer sends path identifiers. */
  readonly addPathReceive: readonly Family[]
  /** Families in use. */
  readonly families: readonly Family[]
  /** IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean
  /** The session is internal (same AS). Decides whether LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are accepted (RFC 7606 7.5, 7.9, 7.10). */
  readonly internal: boolean
  /** Largest message either side sends: 4096, or 65535 after RFC 8654. */
  readonly maxMessageBytes: number
}

/** An error that ends the session: content of the NOTIFICATION to send, and a text for people. */
export interface BgpFault {
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
  /** What was wrong, with the section that says so. */
  readonly reason: string
}

/** What RFC 7606 section 2 asks for, mildest first. */
export type UpdateErrorAction = 'attribute-discard' | 'treat-as-withdraw' | 'disable-family' | 'session-reset'

/** A malformed part of an UPDATE that the session may survive. */
export interface UpdateError {
  readonly action: UpdateErrorAction
  /** Name of the attribute or field, such as `ORIGIN` or `NLRI`. */
  readonly attribute: string
  /** Where the rule stands, such as `RFC 7606 7.1`. */
  readonly section: string
  readonly reason: string
}

/** Wire number of a family. */
export function afiOf(family: Family): number {
  return family === 4 ? 1 : 2
}

/** The unicast family of an AFI and SAFI, or undefined for all others. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== 1) return undefined
  return afi === 1 ? 4 : afi === 2 ? 6 : undefined
}
