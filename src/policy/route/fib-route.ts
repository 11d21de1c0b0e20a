import type { IpBytes, IpPrefix } from '../../base/ip.ts'

/** One way out of a route. */
export interface FibNextHop {
  /** Absent: the destination is on the link itself. May be of the other family (RFC 8950). */
  readonly gateway?: IpBytes
  /** Interface name; absent: the kernel finds the one that reaches the gateway. */
  readonly device?: string
  /** 1 to 256. Default 1. */
  readonly weight?: number
  /** The gateway is reachable over the device although no route says so. */
  readonly onLink?: boolean
}

/** A route as the kernel is to have it. `prefix`, `table` and `metric` are its identity. */
export interface FibRoute {
  readonly prefix: IpPrefix
  /** Default `unicast`. */
  readonly type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit'
  /** Several: equal-cost multipath. Empty for all types but `unicast`. */
  readonly nextHops: readonly FibNextHop[]
  /** Kernel priority, made from the administrative distance: lower wins. Above 0: to the kernel, 0 means any when an IPv4 route is removed. */
  readonly metric: number
  /** Default 254 (main). */
  readonly table?: number
  /** Preferred source address. */
  readonly source?: IpBytes
}

/** Why a wanted route is not in force. */
export interface FibProblem {
  readonly prefix: string
  readonly message: string
}

/**
 * The forwarding table of one network namespace, as far as it carries one protocol tag. Owns only what has its tag, never flushes: a
 * full `apply` replaces, `change` adds and removes. After a start nothing is removed before the first full apply.
 */
export interface Fib {
  /** Makes the tagged routes equal to `routes`; those already right are not touched. @returns what could not be done */
  apply(routes: Iterable<FibRoute>, revision: bigint): Promise<readonly FibProblem[]>
  /** A change to what the last apply left. */
  change(
    change: { readonly add: readonly FibRoute[]; readonly remove: readonly FibRoute[] },
    revision: bigint,
  ): Promise<readonly FibProblem[]>
}

/** Tags (rtnetlink `rtm_protocol`) of the routes that biplane owns. */
export const ROUTE_PROTOCOL = {
  /** Learned or configured routes of `biplane router`. */
  router: 190,
  /** Pod links and pod ranges of other nodes, of `biplane node`. */
  node: 191,
} as const
