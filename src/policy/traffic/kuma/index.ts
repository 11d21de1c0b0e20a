/**
 * Kuma's objects as what the compiler works on, and how policies that apply to one proxy become one. All pure.
 *
 *   translate-kuma      the whole of it
 *   translate-policy    the common frame: whose proxies, to whom, from whom; roles and rank
 *   permission-rules    Kuma 2's lists of actions, where the last word counts, as lists where denial wins
 *   callers             Kuma 2's tags as SPIFFE ids
 *   translate-route     MeshHTTPRoute, MeshTCPRoute
 *   translate-services  external services, services of many zones, host names
 *   translate-mesh      Mesh, MeshIdentity, MeshTrust
 *   translate-gateways  MeshGateway
 *   translate-own       MeshRequestAuthentication, MeshAuthorizationPolicy
 *   normal-conf         durations in milliseconds, percentages as numbers; names stay Kuma's
 *   merging             policiesFor, mergeOutbound, mergeInbound, mergeWhole
 *   sieve               what cannot be read keeps nothing else from having its effect
 *   default-policies    what holds where nothing is written
 */
export * from './callers.ts'
export * from './cluster-name.ts'
export * from './default-policies.ts'
export * from './kuma-input.ts'
export * from './merging.ts'
export * from './select-proxies.ts'
export * from './sieve.ts'
export * from './translate-kuma.ts'
export * from './translate-own.ts'
