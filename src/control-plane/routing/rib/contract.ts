import type { IpBytes, IpPrefix } from '../../../base/ip.ts'
import type { BestPathOptions, BestPathStep } from '../../../policy/route/best-path.ts'
import type { CompiledRoutePolicy } from '../../../policy/route/compile-route-policy.ts'
import type { FibNextHop, FibRoute } from '../../../policy/route/fib-route.ts'
import type { RouteSource } from '../../../policy/route/route-policy.ts'
import type { BgpFault, Family, PathAttributes, UpdateError, WireOptions } from '../../../protocols/bgp/message.ts'

/** Number of a peer inside one Rib. Given by `addPeer`, reused after `removePeer`. */
export type PeerHandle = number

export interface RibOptions {
  readonly localAs: number
  readonly routerId: number
  /** Default: the router id. */
  readonly clusterId?: number
  readonly bestPath?: Partial<BestPathOptions>
  /** Equal-cost next hops of a route, 1 to 64. Default 1. */
  readonly maximumPaths?: number
  /** Multipath also over different AS paths of equal length. Default false. */
  readonly multipathRelax?: boolean
  /** What the forwarding table is told per source of a route: kernel priority (administrative distance). */
  readonly metrics?: Partial<Record<'ebgp' | 'ibgp' | 'local', number>>
  /** A random 32-bit number: peers cannot choose prefixes that collide in its tables. Default 0. */
  readonly hashSeed?: number
  readonly resolver: NextHopResolver
  readonly listener: RibListener
}

/** Tells whether a next hop can be reached; asked once per next hop until `nextHopsChanged`. */
export interface NextHopResolver {
  /** @returns the interior cost, and the ways there when it is not a neighbour on a link; undefined when it cannot be reached */
  resolve(nextHop: IpBytes): { readonly metric: number; readonly via?: readonly FibNextHop[] } | undefined
}

/** Called synchronously, at most once until the work is taken; must not call back into the Rib. */
export interface RibListener {
  /** `takeExports(peer)` has something to give. */
  exportsPending(peer: PeerHandle): void
  /** `work` has something to do: a peer's routes to withdraw or to judge anew. */
  workPending(): void
  /** `takeFibChanges` has something to give. */
  fibPending(): void
}

export interface RibPeerOptions {
  /** For explanations and metrics. */
  readonly name: string
  /** Last step of best path selection. */
  readonly address: IpBytes
  readonly importPolicy?: CompiledRoutePolicy
  readonly exportPolicy?: CompiledRoutePolicy
  /** External peers without a policy get and give nothing (RFC 8212) unless this is true. Default false. */
  readonly allowWithoutPolicy?: boolean
  readonly routeReflectorClient?: boolean
  /** Next hop of routes sent: `auto` is self to external peers except third-party next hops on a shared subnet, unchanged to internal ones. */
  readonly nextHop?: 'auto' | 'self' | 'unchanged'
  /** Occurrences of the own AS that are tolerated in a received path. Default 0. */
  readonly allowOwnAs?: number
  /** Paths of an external peer begin with its own AS (RFC 4271 section 6.3). Default true; route servers that are transparent do not do so. */
  readonly enforceFirstAs?: boolean
  /** Accepted plus rejected prefixes per family; one more ends the session with Cease/1 (RFC 4486). */
  readonly maximumPrefixes?: Partial<Record<Family, number>>
  /** Send every route with GRACEFUL_SHUTDOWN, and give what is received local preference 0 (RFC 8326). */
  readonly gracefulShutdown?: boolean
}

/** What the session with the peer turned out to be. */
export interface SessionParameters extends WireOptions {
  /** Own AS towards this peer, where it is not that of the Rib. */
  readonly localAs?: number
  readonly remoteAs: number
  readonly remoteRouterId: number
  /** Own address of the session per family: the next hop `self`. A family without one announces nothing. */
  readonly localAddresses: Partial<Record<Family, IpBytes>>
  /** Own IPv6 link-local address, sent beside the global one when the peer shares the link (RFC 2545). */
  readonly localLinkLocal?: IpBytes
  /** The subnet shared with the peer, for third-party next hops. */
  readonly sharedSubnets?: readonly IpPrefix[]
  /**
   * Families whose stale routes of the session before may stay until End-of-RIB; stale routes of all others go at once. The peer's graceful
   * restart capability says (F bit set).
   */
  readonly keepStale?: readonly Family[]
  /** Hold back End-of-RIB (and with it all exports) until `releaseExports`: the own graceful restart. Default false. */
  readonly deferExports?: boolean
}

export interface UpdateOutcome {
  readonly announced: number
  readonly withdrawn: number
  /** The message was End-of-RIB of this family; its stale routes are being swept. */
  readonly endOfRib?: Family
  /** RFC 7606 problems that the session survives. Empty in the usual case. */
  readonly errors: readonly UpdateError[]
  /** The session must end with this NOTIFICATION. */
  readonly fault?: BgpFault
  /** Routes of this family are no longer accepted in this session (RFC 7606 disable). */
  readonly disabledFamily?: Family
}

export interface PeerCounters {
  /** In Adj-RIB-In, accepted and rejected together, per family. */
  readonly received: Readonly<Record<Family, number>>
  readonly accepted: Readonly<Record<Family, number>>
  /** Of those held, still stale from before a restart. */
  readonly stale: Readonly<Record<Family, number>>
  /** In Adj-RIB-Out. */
  readonly advertised: Readonly<Record<Family, number>>
  readonly updatesIn: number
  readonly updatesOut: number
  readonly announcementsIn: number
  readonly withdrawalsIn: number
  /** Prefixes whose export is still to be decided or sent. */
  readonly exportsPending: number
}

export interface RibCounters {
  readonly prefixes: Readonly<Record<Family, number>>
  readonly paths: number
  readonly attributeSets: number
  readonly nextHops: number
  /** What the forwarding table was told, equal next hops once. */
  readonly nextHopSets: number
  readonly decisions: number
  readonly bestPathChanges: number
  readonly memoryBytes: number
}

/** A route of our own: static, pod range, load balancer address. */
export interface LocalRoute {
  readonly prefix: IpPrefix
  readonly source: RouteSource
  /** Default: origin IGP, empty path, local preference 100. The next hop is set on export. */
  readonly attributes?: PathAttributes
}

/** Why a candidate is not in use: filtered before the decision, or beaten at a step of it. */
export type CandidateState =
  | { readonly kind: 'best' }
  /** Not the best, but one of its equal-cost companions. */
  | { readonly kind: 'multipath'; readonly step: BestPathStep }
  | { readonly kind: 'lost'; readonly step: BestPathStep; readonly text: string }
  | { readonly kind: 'rejected'; readonly policy: string; readonly rule: string }
  | {
      readonly kind: 'invalid'
      readonly reason:
        | 'own-as'
        | 'first-as'
        | 'originator'
        | 'cluster'
        | 'no-policy'
        | 'too-large'
        | 'next-hop-unreachable'
        | 'session-down'
      readonly text: string
    }

export interface ExplainedCandidate {
  /** Name of the peer, or the source of a local route. */
  readonly from: string
  readonly pathId?: number
  readonly stale: boolean
  /** As received. */
  readonly received: PathAttributes & { readonly linkLocal?: IpBytes }
  /** After the import policy; absent when rejected. */
  readonly attributes?: PathAttributes
  /** The rule of the import policy that accepted, when there is one. */
  readonly policy?: { readonly policy: string; readonly rule: string }
  readonly igpMetric?: number
  readonly state: CandidateState
}

export interface ExplainedExport {
  readonly peer: string
  /** In Adj-RIB-Out as it stands. */
  readonly advertised?: PathAttributes
  /** Why nothing is sent, or what rule accepted. */
  readonly reason: string
  readonly pending: boolean
}

export interface RouteExplanation {
  readonly prefix: string
  readonly candidates: readonly ExplainedCandidate[]
  readonly exports: readonly ExplainedExport[]
  /** What `takeFibChanges` gave last. */
  readonly fib?: FibRoute
}

/**
 * The routes of one router: what each peer sent (AdjRibIn), which one is used (LocRib), what each peer is told (AdjRibOut). No sockets,
 * no clock. All calls are synchronous; long work is cut into slices done by `work`.
 */
export interface Rib {
  addPeer(options: RibPeerOptions): PeerHandle
  /** New policies and options. Routes held are judged anew in slices (soft reconfiguration); no session is needed. */
  configurePeer(peer: PeerHandle, options: RibPeerOptions): void
  /** Forgets the peer and its routes. */
  removePeer(peer: PeerHandle): void

  peerUp(peer: PeerHandle, session: SessionParameters): void
  /** @param keepStale families whose routes are kept as stale (graceful restart helper); all others are withdrawn in slices */
  peerDown(peer: PeerHandle, keepStale?: readonly Family[]): void
  /** Restart timer expired, or End-of-RIB: removes what is still stale, in slices. */
  sweepStale(peer: PeerHandle, families?: readonly Family[]): void
  /** Start of an enhanced route refresh (RFC 7313): marks the routes held as stale. The end is `sweepStale`. */
  markStale(peer: PeerHandle, family: Family): void

  /** @param body an UPDATE without its header; not kept */
  update(peer: PeerHandle, body: Uint8Array): UpdateOutcome

  /** Sends everything again: the answer to ROUTE-REFRESH. With `enhanced` the answer is enclosed in BoRR and EoRR. */
  refresh(peer: PeerHandle, family: Family, enhanced: boolean): void
  /** Ends `deferExports`. */
  releaseExports(peer: PeerHandle): void
  /**
   * Whole messages to send to the peer, about `maxBytes` of them, or undefined when there is nothing more to do. Empty when the
   * call only found out that much need not be sent: call again, after others had their turn. The bytes are the caller's. What is given
   * counts as advertised, so a session that fails to send it must end.
   */
  takeExports(peer: PeerHandle, maxBytes: number): Uint8Array | undefined

  /** Does background work, at most about `budgetMs` on the monotonic `now`. @returns whether some is left */
  work(budgetMs: number, now: () => number): boolean

  /** Adds or replaces a local route. */
  originate(route: LocalRoute): void
  withdraw(prefix: IpPrefix, source: RouteSource): void
  /** The interior routing changed: all next hops are resolved anew, in slices. */
  nextHopsChanged(): void

  /**
   * Whether somebody takes forwarding changes, as at first. If not, none are kept; when somebody does again, `fibRoutes` is where to begin. While changes
   * are kept but not taken, numbers of prefixes that are gone are not reused.
   */
  useFib(used: boolean): void
  /** Changes to the forwarding table since the last call, at most `max` of them; undefined when there are none. */
  takeFibChanges(max: number): { readonly add: readonly FibRoute[]; readonly remove: readonly FibRoute[] } | undefined
  /** All routes for the forwarding table; changes taken so far count as known. For a full apply. */
  fibRoutes(): Iterable<FibRoute>

  explain(prefix: IpPrefix): RouteExplanation | undefined
  /** Prefixes with a best path, in the order they were learned; at most `limit` after skipping `offset`. */
  list(family: Family, offset: number, limit: number): readonly IpPrefix[]
  peerCounters(peer: PeerHandle): PeerCounters
  counters(): RibCounters
}
