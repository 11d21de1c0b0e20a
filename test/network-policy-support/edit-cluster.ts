// What happens to a cluster from one step of a case to the next.
import type { NetworkPolicy, NetworkPolicySpec, Pod } from '../../src/api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../src/api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { namespace, pod, podAddresses } from './cluster.ts'
import type { Cluster } from './reference.ts'

export type Edit = (cluster: Cluster) => Cluster

/** Pods that come and go, each with an address of its own, beside the nine. */
export const EXTRA_PODS: Readonly<Record<string, number>> = { 'x/d': 9, 'y-2/a': 10, 'y-2/b': 11, 'w/a': 12 }

export const policy = (spec: NetworkPolicySpec, metadata: { readonly name?: string; readonly namespace?: string } = {}): NetworkPolicy => ({
  metadata: { name: 'base', namespace: 'x', ...metadata },
  spec,
})

const others = (
  policies: readonly NetworkPolicy[],
  { name, namespace: ns }: { readonly name: string; readonly namespace?: string | undefined },
): NetworkPolicy[] => policies.filter(({ metadata }) => metadata.name !== name || metadata.namespace !== ns)

/** Creates, or replaces what has the name. */
export const put =
  (...policies: readonly NetworkPolicy[]): Edit =>
  (cluster) => ({
    ...cluster,
    networkPolicies: policies.reduce<readonly NetworkPolicy[]>((all, one) => [...others(all, one.metadata), one], cluster.networkPolicies),
  })

export const putCluster =
  (...policies: readonly ClusterNetworkPolicy[]): Edit =>
  (cluster) => ({ ...cluster, clusterNetworkPolicies: policies })

export const drop =
  (ns: string, name: string): Edit =>
  (cluster) => ({ ...cluster, networkPolicies: others(cluster.networkPolicies, { name, namespace: ns }) })

export const labelNamespace =
  (name: string, labels: Record<string, string>): Edit =>
  (cluster) => ({ ...cluster, namespaces: cluster.namespaces.map((one) => (one.metadata.name === name ? namespace(name, labels) : one)) })

export const labelPod =
  (ns: string, name: string, labels: Record<string, string>): Edit =>
  (cluster) => ({
    ...cluster,
    pods: cluster.pods.map((one) => (isPod(one, ns, name) ? { ...one, metadata: { ...one.metadata, labels } } : one)),
  })

export const addNamespace =
  (name: string, labels: Record<string, string>): Edit =>
  (cluster) => ({ ...cluster, namespaces: [...cluster.namespaces, namespace(name, labels)] })

export const dropNamespace =
  (name: string): Edit =>
  (cluster) => ({
    ...cluster,
    namespaces: cluster.namespaces.filter(({ metadata }) => metadata.name !== name),
    pods: cluster.pods.filter(({ metadata }) => metadata.namespace !== name),
  })

export const addPod =
  (ns: string, name: string): Edit =>
  (cluster) => ({ ...cluster, pods: [...cluster.pods, pod(ns, name, { ips: podAddresses(EXTRA_PODS[`${ns}/${name}`] as number) })] })

export const dropPod =
  (ns: string, name: string): Edit =>
  (cluster) => ({ ...cluster, pods: cluster.pods.filter((one) => !isPod(one, ns, name)) })

export const all =
  (...edits: readonly Edit[]): Edit =>
  (cluster) =>
    edits.reduce((now, edit) => edit(now), cluster)

function isPod({ metadata }: Pod, ns: string, name: string): boolean {
  return metadata.namespace === ns && metadata.name === name
}
