/**
 * What a node agent does for the proxies of its pods; the proxies themselves are src/data-plane/proxy.
 *
 *   mesh-relay      their way to the control plane: a unix socket, and one link for all of them
 *   interception    rules in a pod's network namespace that bring all of its connections to its sidecar; plan-interception: their text
 *   cgroup-interception   where pods share the network of the node: rules that bring to a sidecar what others dial at its pod; plan-...: their text
 *   local-services  where pods have no network of their own: addresses of services that the sidecar serves itself
 *   hosted-pods     pods that have no sidecar: the node's own proxy is told of them, gets their tokens, and carries their connections before they start;
 *                   hosted-pod: what it is told, ask-ready: how it is asked
 *
 * A pod whose agent is away keeps its sidecar, its rules and its identity; the sidecar asks for changes again when the agent is back.
 */
export { CgroupInterception, cgroupInterceptionProblem } from './cgroup-interception.ts'
export { askReady } from './ask-ready.ts'
export { hostedLayout, type HostedLayout, type HostedPod } from './hosted-pod.ts'
export { HostedPods, type HostedPodsOptions, type PodProxies } from './hosted-pods.ts'
export { Interception, protectBy, type InterceptionOptions } from './interception.ts'
export { localServices } from './local-services.ts'
export { MeshRelay, type MeshRelayOptions } from './mesh-relay.ts'
