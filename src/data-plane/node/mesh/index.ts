/**
 * What a node agent does for the proxies of its pods; the proxies themselves are src/data-plane/proxy.
 *
 *   mesh-relay      their way to the control plane: a unix socket, and one link for all of them
 *   interception    rules in a pod's network namespace that bring all of its connections to its sidecar; plan-interception: their text
 *   local-services  where pods have no network of their own: addresses of services that the sidecar serves itself
 *
 * A pod whose agent is away keeps its sidecar, its rules and its identity; the sidecar asks for changes again when the agent is back.
 */
export { Interception, protectBy, type InterceptionOptions } from './interception.ts'
export { localServices } from './local-services.ts'
export { MeshRelay, type MeshRelayOptions } from './mesh-relay.ts'
