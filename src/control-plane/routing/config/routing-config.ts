import type { IpBytes, IpPrefix } from '../../../base/ip.ts'
import type { RoutePolicySpec, RouteSource } from '../../../policy/route/route-policy.ts'
import type { Family } from '../../../protocols/bgp/message.ts'
import type { SessionOptions } from '../session/session.ts'

/** What one node does in routing: the artefact that objects of the API are compiled to. Holds secrets: never logged, stored 0600. */
export interface RoutingConfig {
  /** Digest of the content: equal configurations have equal revisions. */
  readonly revision: string
  /** Absent: no Router selects the node. */
  readonly router?: RouterConfig
  readonly peers: readonly PeerConfig[]
  readonly originated: readonly OriginatedRoute[]
  readonly statics: readonly StaticConfig[]
  /** What could not be used, and why. */
  readonly problems: readonly string[]
}

export interface RouterConfig {
  readonly name: string
  readonly generation: number
  readonly localAs: number
  readonly routerId: number
  readonly clusterId: number
  readonly listen: { readonly addresses: readonly string[]; readonly port: number }
  readonly maximumPaths: number
  readonly multipathRelax: boolean
  readonly metrics: { readonly ebgp: number; readonly ibgp: number }
  readonly install: boolean
  readonly table: number
  readonly metricBase: number
  readonly drain: boolean
  /** Longest that peers wait for us: bounds the deferral of route selection after a restart. */
  readonly restartTimeSeconds: number
}

export interface PolicyConfig {
  readonly name: string
  readonly spec: RoutePolicySpec
}

/** A BGPPeer as this node sees it. */
export interface PeerConfig {
  readonly name: string
  /** One neighbour, or where neighbours may come from. */
  readonly remote:
    | { readonly address: IpBytes; readonly device?: string; readonly port: number }
    | { readonly prefixes: readonly IpPrefix[]; readonly limit: number }
  readonly session: SessionOptions
  readonly transport: TransportConfig
  readonly importPolicy?: PolicyConfig
  readonly exportPolicy?: PolicyConfig
  readonly routeReflectorClient: boolean
  readonly nextHop: 'auto' | 'self'
  readonly allowOwnAs: number
  readonly enforceFirstAs: boolean
  readonly gracefulShutdown: boolean
  readonly maximumPrefixes: Partial<Record<Family, MaximumPrefixConfig>>
  readonly bfd?: BfdConfig
  /** Kept down, and what the peer is told. */
  readonly shutdown?: { readonly text: string }
}

export interface MaximumPrefixConfig {
  readonly limit: number
  readonly action: 'Warn' | 'Restart' | 'Shutdown'
  readonly restartSeconds: number
}

/** How packets of a session travel. */
export interface TransportConfig {
  readonly localAddress?: string
  readonly password?: string
  /** Time to live of what is sent. Absent: that of the kernel for internal peers, 1 for external ones. */
  readonly ttl?: number
  /** Least time to live of what is taken. */
  readonly minTtl?: number
}

export interface BfdConfig {
  readonly minTxMs: number
  readonly minRxMs: number
  readonly detectMultiplier: number
  readonly multihop: boolean
  /** A dead path is taken for a restart of the peer's control plane where the peer says that it can be one. */
  readonly graceful: boolean
}

export interface OriginatedRoute {
  readonly prefix: IpPrefix
  readonly source: RouteSource
}

export interface StaticConfig {
  readonly name: string
  readonly prefix: IpPrefix
  readonly type: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit'
  readonly nextHops: readonly { readonly address?: IpBytes; readonly device?: string; readonly weight: number }[]
  readonly distance: number
}
