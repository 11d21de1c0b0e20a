/** Route policy as it is declared: the form of a RoutePolicy's spec. Compiled by `compileRoutePolicy`. */
export interface RoutePolicySpec {
  /** Tried in order. A rule whose match fails is skipped. */
  readonly rules: readonly RoutePolicyRule[]
  /** What happens to a route that no rule accepted or rejected. Default `Reject`. */
  readonly defaultAction?: 'Accept' | 'Reject'
}

export interface RoutePolicyRule {
  /** Unique in the policy; named by explanations. Default: `rule N`, counted from 1. */
  readonly name?: string
  /** All given conditions must hold; absent or empty matches every route. */
  readonly match?: RouteMatch
  /** Changes of a matching route. Later matches still see the route as it came. */
  readonly set?: RouteActions
  /** `Continue` goes on with the next rule, keeping the changes. */
  readonly action: 'Accept' | 'Reject' | 'Continue'
}

/** Where a route came from. */
export type RouteSource = 'BGP' | 'Static' | 'PodRange' | 'LoadBalancer' | 'Connected'

export interface NumberRange {
  readonly min?: number
  readonly max?: number
}

export interface PrefixMatch {
  /** `10.0.0.0/8`. Without `ge` and `le` only this very prefix matches. */
  readonly prefix: string
  /** Shortest length that matches. Default: the prefix's own; alone it means up to the full length. */
  readonly ge?: number
  /** Longest length that matches. */
  readonly le?: number
}

export interface CommunityMatch {
  /** One of them is there. `65000:*` stands for any value of a part. */
  readonly any?: readonly string[]
  readonly all?: readonly string[]
  readonly none?: readonly string[]
}

export interface RouteMatch {
  /** One of them. */
  readonly prefixes?: readonly PrefixMatch[]
  /** One of them matches the path written as AS numbers with single blanks, sets as `{1,2}`. `_` stands for a boundary, as in the field. */
  readonly asPath?: readonly string[]
  /** Counted as best path selection counts it. */
  readonly asPathLength?: NumberRange
  /** One of these AS numbers originated the route. */
  readonly originAs?: readonly number[]
  /** Standard communities `A:B`, or the names of the well-known ones: `no-export`, `no-advertise`, `graceful-shutdown`, `blackhole`. */
  readonly communities?: CommunityMatch
  /** `A:B:C`. */
  readonly largeCommunities?: CommunityMatch
  /** The next hop lies in one of these prefixes. */
  readonly nextHops?: readonly string[]
  readonly localPreference?: NumberRange
  /** A route without MED has 0. */
  readonly med?: NumberRange
  readonly origins?: readonly ('IGP' | 'EGP' | 'Incomplete')[]
  readonly sources?: readonly RouteSource[]
}

export interface RouteActions {
  readonly localPreference?: number
  readonly med?: number
  /** Added to the MED (after `med`), kept within 0 and 2^32-1. */
  readonly addMed?: number
  readonly removeMed?: boolean
  readonly origin?: 'IGP' | 'EGP' | 'Incomplete'
  /** Puts `as` before the path `count` times (1 to 32). Default AS: on export the own one, on import the neighbour's. */
  readonly prepend?: { readonly as?: number; readonly count: number }
  readonly communities?: CommunityActions
  readonly largeCommunities?: CommunityActions
  /** `self`, `unchanged` (export only) or an address. */
  readonly nextHop?: string
}

export interface CommunityActions {
  /** Replaces all. Applied first. */
  readonly replace?: readonly string[]
  /** Wildcards as in a match. */
  readonly remove?: readonly string[]
  readonly add?: readonly string[]
}
