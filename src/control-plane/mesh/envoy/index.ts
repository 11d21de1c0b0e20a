/**
 * Envoy's configuration from the intermediate form: pure functions from resources of the model to messages in the JSON form of protocols/xds.
 *
 *   generate       all resources of a proxy, what is unsupported, patches last
 *   listener       the two ports that everything is sent to, listeners by dialled address, gateways; chain: one chain of the model -> Envoy's
 *   http           connection managers; http-filter: rbac, jwt, extAuthz, rateLimit, fault, grpcJson, cors, on chains and on routes
 *   rbac, fault    what Envoy has otherwise than the model
 *   route, retry   routes; cluster, load-balancer, health, endpoints: whom they lead to
 *   tls, secret    identity and trust from the node agent's socket, certificates of gateways over the stream
 *   telemetry      access logs, tracing, and clusters for their collectors
 *   patch          MeshProxyPatch
 *
 * A function that needs more than one resource takes the others in a context: that is what its answer has to be made again for.
 */
export { envoyGenerator, type EnvoyGeneratorOptions } from './generator.ts'
export { generateEnvoy, type EnvoyInput, type EnvoyOutput, type EnvoyResource } from './generate.ts'
export { type Interception } from './listener.ts'
export { type Place } from './endpoints.ts'
export { ENVOY_TYPE, type EnvoyType, type Json, type Unsupported } from './resource.ts'
