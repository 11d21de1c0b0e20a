/**
 * The node agent: what upstream calls the kubelet. One process per machine runs the pods that are bound to its node.
 *
 *   pods of this node --informer--> NodeAgent --one each--> PodWorker --Runtime--> containers
 *                                                              |
 *                                 StatusManager <--podStatus---+---probes, hooks, volumes, environment
 *
 *   node-agent          the whole: adopts what runs, follows the API, hands out work
 *   runtime             the contract with what runs containers; runtimes/ has the implementations, recipes/ says what an image stands for
 *   pods/               one pod: pod-view (what is) -> plan-pod (what to do next, pure) -> pod-worker (does it); pod-status (what to say, pure);
 *                       container-track and back-off (memory of one container), start-failure, resolve-container, lifecycle-hook
 *   probes/             probe-schedule (thresholds, pure), prober (timers), probe-http, probe-tcp, probe-grpc
 *   volumes/            plan-volume (which files, pure but for look-ups), atomic-files (swapped as one), downward (the downward API)
 *   env/                the environment of a container, service variables, /etc/hosts
 *   api-sync/           status-manager, node-registration and -status, object-cache and token-cache, last-good (lists that outlive
 *                       the control plane), join (certificates)
 *   link/               the link that the API server reaches the node by: logs today
 *
 * Truth is the runtime's disk and the API server; the agent keeps nothing else, so it may be killed at any moment. While the control
 * plane is away nothing is stopped: the last known pods, services and objects go on being served.
 */
export { NodeAgent, type NodeAgentOptions } from './node-agent.ts'
export type { NodeDescription } from './api-sync/node-status.ts'
export { NodeNameTakenError } from './api-sync/node-registration.ts'
export { RuntimeError, type Runtime } from './runtime.ts'
