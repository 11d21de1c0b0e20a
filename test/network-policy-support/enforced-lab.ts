// The pod lab with a PolicyEnforcer on its node, and lists to feed it.
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger, type Logger } from '../../src/base/log.ts'
import { createMetrics, type Metrics } from '../../src/base/metrics.ts'
import type { Namespace, NetworkPolicy, Node, Pod } from '../../src/api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../src/api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import type { Nft, NftStructures } from '../../src/data-plane/forwarding/contract.ts'
import { openNft } from '../../src/data-plane/forwarding/nft/index.ts'
import { PolicyEnforcer, type PacketLogMessage, type PolicyEnforcerOptions } from '../../src/data-plane/forwarding/packet-filter/index.ts'
import type { ChangingList } from '../../src/data-plane/service-proxy/index.ts'
import { poll } from '../support/poll.ts'
import { allProbes, NODE } from './cluster.ts'
import { PodLab, type LabPod } from './pod-lab.ts'
import { referenceVerdict, type Cluster } from './reference.ts'

export class FakeList<T> implements ChangingList<T> {
  #items: readonly T[]
  readonly #listeners = new Set<() => void>()

  constructor(items: readonly T[] = []) {
    this.#items = items
  }

  list(): readonly T[] {
    return this.#items
  }

  /** Without a word to anybody; `tell` says it. */
  put(items: readonly T[]): void {
    this.#items = items
  }

  tell(): void {
    for (const fn of this.#listeners) fn()
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }
}

export class Lists {
  readonly networkPolicies: FakeList<NetworkPolicy> = new FakeList()
  readonly clusterNetworkPolicies: FakeList<ClusterNetworkPolicy> = new FakeList()
  readonly pods: FakeList<Pod> = new FakeList()
  readonly namespaces: FakeList<Namespace> = new FakeList()
  readonly nodes: FakeList<Node> = new FakeList()
  #revision = 0

  /** Shows a cluster whole. @returns the revision that the enforcer will have applied then */
  show(cluster: Cluster): string {
    const revision = String(++this.#revision)
    this.networkPolicies.put(cluster.networkPolicies)
    this.clusterNetworkPolicies.put(cluster.clusterNetworkPolicies)
    this.pods.put(cluster.pods)
    this.namespaces.put(cluster.namespaces)
    // the revision of a deletion is that of nothing else
    this.nodes.put(cluster.nodes.map((node) => ({ ...node, metadata: { ...node.metadata, resourceVersion: revision } })))
    this.nodes.tell()
    return revision
  }
}

export interface EnforcedLab {
  readonly lab: PodLab
  readonly nft: Nft & NftStructures
  readonly lists: Lists
  readonly enforcer: PolicyEnforcer
  readonly metrics: Metrics
  /** Shows a cluster and waits until the node says that it is in force. */
  apply(cluster: Cluster): Promise<void>
  /** Probes every pair of pods, both families, every port; @returns the packets whose fate is not that of the reference */
  compare(cluster: Cluster): Promise<readonly string[]>
  /** Ends the enforcer; the kernel keeps what it has. */
  stop(): Promise<void>
  remove(): Promise<void>
}

/** @param options of the enforcer, over the defaults of tests */
export async function startEnforcedLab(
  pods: readonly LabPod[],
  {
    openLog,
    ...options
  }: Omit<Partial<PolicyEnforcerOptions>, 'openLog'> & {
    readonly log?: Logger
    /** The log of the node's namespace. */
    readonly openLog?: (signal: AbortSignal, namespace: string) => AsyncIterable<PacketLogMessage>
  } = {},
): Promise<EnforcedLab> {
  const lab = await PodLab.create(pods)
  const nft = openNft({ namespace: lab.node.path })
  const lists = new Lists()
  const metrics = createMetrics()
  const { networkPolicies, clusterNetworkPolicies, pods: podList, namespaces, nodes } = lists
  const enforcer = new PolicyEnforcer({
    networkPolicies,
    clusterNetworkPolicies,
    pods: podList,
    namespaces,
    nodes,
    known: Promise.resolve(),
    node: NODE,
    nft,
    clock: systemClock,
    log: silentLogger,
    metrics,
    podDevices: 'v*',
    ...(openLog ? { openLog: (signal) => openLog(signal, lab.node.path) } : {}),
    ...options,
  })
  const ended = new AbortController()
  const running = enforcer.run(ended.signal)
  const stop = async (): Promise<void> => {
    ended.abort()
    await running
  }
  return {
    lab,
    nft,
    lists,
    enforcer,
    metrics,
    apply: async (cluster) => {
      const revision = lists.show(cluster)
      await poll(
        `revision ${revision} in force`,
        () => {
          const { applied, refused } = enforcer.state()
          if (refused) throw new Error(refused.message)
          return applied === revision ? true : undefined
        },
        { everyMs: 2 },
      )
    },
    compare: async (cluster) => {
      const probes = [...allProbes(cluster.pods, 0), ...allProbes(cluster.pods, 1)]
      const wanted = probes.map((probe) => referenceVerdict(cluster, probe))
      const arrived = await lab.probe(probes, wanted)
      return probes.flatMap(({ source, destination, protocol, port }, i) =>
        arrived[i] === wanted[i] ? [] : [`${source} to ${destination} ${protocol} ${port} ${arrived[i] ? 'arrived' : 'did not arrive'}`],
      )
    },
    stop,
    remove: async () => {
      await stop()
      nft.close()
      await lab.remove()
    },
  }
}

export function labPods(pods: readonly Pod[]): readonly LabPod[] {
  return pods.map(({ metadata, status }) => ({
    key: `${metadata.namespace}/${metadata.name}`,
    ips: status?.podIPs?.map(({ ip }) => ip) ?? [],
  }))
}
