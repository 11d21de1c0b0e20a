/**
 * What a foreign data plane is started with, as pure functions: used by the node that starts it.
 *
 *   envoy-bootstrap   Envoy: control plane, admin, readiness, probes
 *   grpc-bootstrap    proxyless gRPC: control plane, certificate files
 *   local-secrets     identity and trust as Envoy's secrets, for the node's own socket
 *   names             of clusters, secrets and listeners that both planes agree on
 */
export * from './envoy-bootstrap.ts'
export * from './grpc-bootstrap.ts'
export * from './local-secrets.ts'
export * from './names.ts'
