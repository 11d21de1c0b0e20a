import type { DenyAction, Direction, Tier } from '../../../policy/packet/policies/index.ts'
import type { RulePiece } from './rule-pieces.ts'

/** Of all that is here, biplane owns this table alone. */
export const FILTER_FAMILY = 'inet'
export const FILTER_TABLE = 'biplane-policy'
/** Group of nfnetlink_log that verdicts are told to. */
export const LOG_GROUP = 190

export type KeyType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ipv4_addr . ipv4_addr'
  | 'ipv6_addr . ipv6_addr'
  | 'ipv4_addr . inet_service'
  | 'ipv6_addr . inet_service'
  | 'inet_service'

export interface FilterSet {
  readonly type: KeyType
  /** Holds prefixes or ranges of ports. */
  readonly isInterval?: boolean
  /** As nft writes them. The same object: the same elements. */
  readonly elements: ReadonlySet<string>
}

export interface FilterMap {
  readonly type: KeyType
  /** Element -> chain to jump to. */
  readonly verdicts: ReadonlyMap<string, string>
}

export interface FilterChain {
  /** `type filter hook ...;` for base chains. */
  readonly hook?: string
  /** Those of base chains have no expressions: they never change. */
  readonly rules: readonly RulePiece[]
}

/** What a counter counts and a log line of the kernel is about. */
export interface RuleLabel {
  readonly verdict: 'accept' | 'deny' | 'pass'
  readonly tier: Tier | 'Default'
  readonly direction: Direction
  /** Ids of policies; several where NetworkPolicies isolate together. */
  readonly policies: readonly string[]
  /** Absent: the isolation of NetworkPolicies, or packets that belong to no flow. Of no policy: what no pod may send. */
  readonly rule?: { readonly index: number; readonly name?: string }
  readonly denyAction?: DenyAction
}

/** The whole table, as it is to be. */
export interface FilterModel {
  readonly sets: ReadonlyMap<string, FilterSet>
  readonly maps: ReadonlyMap<string, FilterMap>
  readonly chains: ReadonlyMap<string, FilterChain>
  /** Counters `c<id>`; the id is also in the prefix of log lines. */
  readonly labels: ReadonlyMap<number, RuleLabel>
}

export const counterName = (id: number): string => `c${id}`
export const LOG_PREFIX = 'biplane:'

/** The id in the prefix of a log line; undefined when it is none of ours. */
export function idOfPrefix(prefix: string): number | undefined {
  const hit = /^biplane:(\d{1,15}) ?$/.exec(prefix)
  return hit ? Number(hit[1]) : undefined
}
