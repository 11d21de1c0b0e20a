/**
 * From objects of the API to what one node does: `compileRouting` (pure) makes a `RoutingConfig` of Routers, BGPPeers, RoutePolicies, StaticRoutes,
 * and of the node's pod ranges and services; `announcements.ts` says what is announced, `compile-peer.ts` what a peer becomes,
 * `join-policies.ts` how the policies of a peer are one. The speaker compares configurations, so that only what changed is touched.
 */
export { compileRouting, secretsOf, type RoutingInput } from './compile-routing.ts'
export { readStoredConfig, storeConfig } from './stored-config.ts'
export type {
  BfdConfig,
  MaximumPrefixConfig,
  OriginatedRoute,
  PeerConfig,
  PolicyConfig,
  RouterConfig,
  RoutingConfig,
  StaticConfig,
  TransportConfig,
} from './routing-config.ts'
