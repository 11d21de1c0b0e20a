import { join } from 'node:path'
import { pods } from '../../api/core/v1/pod.ts'
import { namespaces } from '../../api/core/v1/namespace.ts'
import type { Namespace, NetworkPolicy, Pod, ServiceCIDR } from '../../api/generated/types.ts'
import type { KindDefinition } from '../../api/kind.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { networkPolicies } from '../../api/networking/v1/network-policy.ts'
import { serviceCIDRs } from '../../api/networking/v1/service-cidr.ts'
import { clusterNetworkPolicies, type ClusterNetworkPolicy } from '../../api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Client } from '../../client/client.ts'
import { createInformer } from '../../client/informer.ts'
import { LastGoodList } from '../../data-plane/node/api-sync/last-good.ts'

export interface PacketSourcesOptions {
  readonly client: Client
  /** Of the node: last good copies. */
  readonly stateDir: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** A list that is kept from the API, or from disk while nobody can be asked. */
export interface Source<T extends KubeObject> {
  readonly list: LastGoodList<T>
  /** Resolves when the list is whole: by a copy on disk, or by the API. Never rejects. */
  readonly known: Promise<void>
  /** Resolves when the API has told all of it. */
  readonly fresh: Promise<void>
  run(signal: AbortSignal): Promise<void>
}

/** What a node must know of the whole cluster to judge packets. */
export interface PacketSources {
  readonly pods: Source<Pod>
  readonly namespaces: Source<Namespace>
  readonly networkPolicies: Source<NetworkPolicy>
  readonly clusterNetworkPolicies: Source<ClusterNetworkPolicy>
  readonly serviceCIDRs: Source<ServiceCIDR>
}

export async function openPacketSources(options: PacketSourcesOptions): Promise<PacketSources> {
  const [podSource, namespaceSource, policySource, clusterPolicySource, rangeSource] = await Promise.all([
    openSource(pods, options, leanPod),
    openSource(namespaces, options),
    openSource(networkPolicies, options),
    openSource(clusterNetworkPolicies, options),
    openSource(serviceCIDRs, options),
  ])
  return {
    pods: podSource,
    namespaces: namespaceSource,
    networkPolicies: policySource,
    clusterNetworkPolicies: clusterPolicySource,
    serviceCIDRs: rangeSource,
  }
}

/** Starts from the copy of an earlier agent. @param transform what is kept of each object */
export async function openSource<T extends KubeObject>(
  kind: KindDefinition<T>,
  options: PacketSourcesOptions,
  transform?: (object: T) => T,
): Promise<Source<T>> {
  const { stateDir, clock, log } = options
  const informer = createInformer(kind, options, transform ? { transform: (object) => transform(object as T) } : {})
  const list = new LastGoodList(informer, { path: join(stateDir, `cluster-${kind.plural}.json`), clock, log })
  const hasCopy = await list.load()
  const fresh = informer.whenSynced()
  return {
    list,
    known: hasCopy ? Promise.resolve() : fresh,
    fresh,
    run: async (signal) => {
      await informer.run(signal)
      await list.flush()
    },
  }
}

/** Resolves when all lists are told by the API, or, where it does not answer in time, when all are known from copies. */
export async function freshOrKept(
  sources: readonly Pick<Source<never>, 'known' | 'fresh'>[],
  options: { readonly clock: Clock; readonly withinMs: number },
): Promise<void> {
  const { clock, withinMs } = options
  const fresh = Promise.all(sources.map((source) => source.fresh))
  const rest = new Promise<void>((resolve) => clock.after(withinMs, resolve))
  await Promise.race([fresh, Promise.all([rest, ...sources.map((source) => source.known)])])
}

/** Of the pods of the whole cluster, what policies look at. */
function leanPod({ metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = metadata
  const containers = (spec?.containers ?? []).map(({ name, ports }) => ({ name, ...(ports ? { ports } : {}) }))
  const sidecars = (spec?.initContainers ?? [])
    .filter(({ restartPolicy, ports }) => restartPolicy === 'Always' && ports !== undefined)
    .map(({ name, ports, restartPolicy }) => ({ name, ports, restartPolicy }))
  return {
    metadata: { name, namespace, uid, resourceVersion, labels, deletionTimestamp },
    spec: {
      nodeName: spec?.nodeName,
      hostNetwork: spec?.hostNetwork,
      containers,
      ...(sidecars.length > 0 ? { initContainers: sidecars } : {}),
    },
    status: { phase: status?.phase, podIP: status?.podIP, podIPs: status?.podIPs },
  } as Pod
}
