// The cluster of the policy tests: 9 pods, a to c in the namespaces x to z, dual stack, ports 80 and 81 of three protocols, each with a name.
import type { ContainerPort, Namespace, Node, Pod } from '../../src/api/generated/types.ts'
import type { Cluster, Probe } from './reference.ts'

export const NAMESPACES = ['x', 'y', 'z'] as const
export const POD_NAMES = ['a', 'b', 'c'] as const
export const PORTS = [80, 81] as const
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const
export const NODE = 'node'
export const NODE_IP = '192.0.2.1'

/** `serve-80-tcp` and so on. */
export const portName = (port: number, protocol: string): string => `serve-${port}-${protocol.toLowerCase()}`

/** Addresses of the pod of this number. Spread, so that a /28 holds some of the pods. */
export const podAddresses = (index: number): readonly [string, string] => [
  `10.244.1.${4 + index * 5}`,
  `fd00:10:244:1::${(4 + index * 5).toString(16)}`,
]

export function namespace(name: string, labels: Record<string, string> = { ns: name }): Namespace {
  return { metadata: { name, labels: { 'kubernetes.io/metadata.name': name, ...labels } } }
}

export function pod(
  namespaceName: string,
  name: string,
  options: { readonly ips: readonly string[]; readonly labels?: Record<string, string> },
): Pod {
  const ports = PORTS.flatMap((containerPort) =>
    PROTOCOLS.map((protocol): ContainerPort => ({ containerPort, protocol, name: portName(containerPort, protocol) })),
  )
  return {
    metadata: { name, namespace: namespaceName, uid: `uid-${namespaceName}-${name}`, labels: options.labels ?? { pod: name } },
    spec: { nodeName: NODE, containers: [{ name: 'c', image: 'i', ports }] },
    status: { phase: 'Running', podIP: options.ips[0] ?? '', podIPs: options.ips.map((ip) => ({ ip })) },
  }
}

export const NODES: readonly Node[] = [
  { metadata: { name: NODE, labels: { role: 'worker' } }, status: { addresses: [{ type: 'InternalIP', address: NODE_IP }] } },
]

/** Nine pods, no policies. */
export function ninePods(): Cluster {
  return {
    namespaces: NAMESPACES.map((name) => namespace(name)),
    pods: NAMESPACES.flatMap((ns, i) => POD_NAMES.map((name, j) => pod(ns, name, { ips: podAddresses(i * 3 + j) }))),
    nodes: NODES,
    networkPolicies: [],
    clusterNetworkPolicies: [],
  }
}

/** Every pod to every pod, both ports, every protocol. @param family index into a pod's addresses */
export function allProbes(pods: readonly Pod[], family: 0 | 1 = 0): readonly Probe[] {
  const addresses = pods.map(({ status }) => status?.podIPs?.[family]?.ip ?? '')
  return addresses.flatMap((source) =>
    addresses.flatMap((destination) => PROTOCOLS.flatMap((protocol) => PORTS.map((port) => ({ source, destination, protocol, port })))),
  )
}
