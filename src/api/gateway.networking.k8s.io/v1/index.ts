/**
 * Gateway API (sigs.k8s.io/gateway-api, release 1.7): gateways, routes, and what stands beside them.
 *
 *   gateway gateway-class listener listener-set   where traffic comes in
 *   http-route grpc-route opaque-routes           where it goes; route-filters, session-persistence: parts of them
 *   backend-tls-policy reference-grant            how backends are spoken to, who may refer to whom
 *   references                                    words that all share
 *   gateway-bounds(-table)                        lengths, ranges and patterns, by schema; *-checks: rules between fields
 *   served-version                                older versions of the same kinds: one storage, the newest version
 */
export * from './backend-tls-policy.ts'
export * from './gateway-class.ts'
export * from './gateway-duration.ts'
export * from './gateway.ts'
export * from './grpc-route.ts'
export * from './http-route.ts'
export * from './listener-set.ts'
export * from './listener.ts'
export * from './opaque-routes.ts'
export * from './reference-grant.ts'
export * from './references.ts'
export * from './route-filters.ts'
export * from './session-persistence.ts'
