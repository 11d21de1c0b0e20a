/**
 * The intermediate form of traffic policy: what the control plane compiles, what our own proxies execute as it is, and what Envoy's and gRPC's resources
 * are made from. Plain JSON values; every field of a time is in milliseconds, every percentage from 0 to 100.
 *
 *   resource    types of resources, their URLs and the order of their delivery; Origin, whom a part comes from
 *   listener    Listener, FilterChain, HttpConnectionManager, TcpProxy; the names and ports that both planes agree on
 *   filter      what judges and changes requests: rbac, jwt, extAuthz, rateLimit, fault, grpcJson, cors
 *   match       of paths, headers, queries and strings
 *   route       RouteConfiguration -> VirtualHost -> Route -> action; retries, mirrors, rewrites, hashes
 *   cluster     how endpoints are spoken to: TLS, load balancing, limits, health
 *   endpoint    who they are
 *   secret      certificates of gateways and of servers outside of the mesh
 *   telemetry   access logs, tracing, metrics
 *   proxy       what concerns a proxy as a whole
 *   patch       changes of Envoy's own configuration (MeshProxyPatch)
 *   injection   how sidecars come into pods: names of containers, labels, annotations, volumes
 *   local-services  the table by which a sidecar serves services where nothing is intercepted
 *
 * The shapes follow Envoy's v3 API where that has the notion, so that generators are tables; differences are on purpose and said at the field.
 */
export * from './cluster.ts'
export * from './endpoint.ts'
export * from './filter.ts'
export * from './injection.ts'
export * from './listener.ts'
export * from './local-services.ts'
export * from './match.ts'
export * from './patch.ts'
export * from './proxy.ts'
export * from './resource.ts'
export * from './route.ts'
export * from './secret.ts'
export * from './telemetry.ts'
