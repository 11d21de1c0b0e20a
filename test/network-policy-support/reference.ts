// What NetworkPolicy and ClusterNetworkPolicy mean, told a second time and as plainly as possible: objects in, one packet, yes or no. Shares no code
// with the compiler, knows no sets and no order but that of the documents.
import type { LabelSelector, Namespace, NetworkPolicy, NetworkPolicyPort, Node, Pod } from '../../src/api/generated/types.ts'
import type {
  ClusterNetworkPolicy,
  ClusterNetworkPolicyEgressPeer,
  ClusterNetworkPolicyProtocol,
} from '../../src/api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'

export interface Cluster {
  readonly namespaces: readonly Namespace[]
  readonly pods: readonly Pod[]
  readonly nodes: readonly Node[]
  readonly networkPolicies: readonly NetworkPolicy[]
  readonly clusterNetworkPolicies: readonly ClusterNetworkPolicy[]
}

export interface Probe {
  readonly source: string
  readonly destination: string
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly port: number
}

type Decision = 'accept' | 'deny' | 'nobody'

/** Whether a packet passes in a cluster whose pods all run on one node. */
export function referenceVerdict(cluster: Cluster, probe: Probe): boolean {
  if (probe.source === probe.destination) return true
  return ['egress', 'ingress'].every((direction) => judge(cluster, probe, direction as 'egress' | 'ingress') !== 'deny')
}

function judge(cluster: Cluster, probe: Probe, direction: 'egress' | 'ingress'): Decision {
  const self = podAt(cluster, direction === 'egress' ? probe.source : probe.destination)
  if (!self) return 'nobody'
  const admin = judgeTier(cluster, probe, { direction, self, tier: 'Admin' })
  if (admin !== 'nobody') return admin
  const selecting = cluster.networkPolicies.filter((policy) => isolates(policy, self, direction))
  if (selecting.length > 0) return selecting.some((policy) => allows(cluster, policy, { probe, direction })) ? 'accept' : 'deny'
  return judgeTier(cluster, probe, { direction, self, tier: 'Baseline' })
}

function isolates({ metadata, spec }: NetworkPolicy, pod: Pod, direction: 'egress' | 'ingress'): boolean {
  if (metadata.namespace !== pod.metadata.namespace) return false
  if (!selects(spec?.podSelector ?? {}, pod.metadata.labels ?? {})) return false
  if (spec?.policyTypes) return spec.policyTypes.includes(direction === 'egress' ? 'Egress' : 'Ingress')
  return direction === 'ingress' || (spec?.egress ?? []).length > 0
}

function allows(
  cluster: Cluster,
  { metadata, spec }: NetworkPolicy,
  { probe, direction }: { readonly probe: Probe; readonly direction: 'egress' | 'ingress' },
): boolean {
  const other = direction === 'egress' ? probe.destination : probe.source
  const rules =
    direction === 'egress'
      ? (spec?.egress ?? []).map((r) => ({ peers: r.to, ports: r.ports }))
      : (spec?.ingress ?? []).map((r) => ({ peers: r.from, ports: r.ports }))
  return rules.some(({ peers, ports }) => {
    const who =
      !peers || peers.length === 0
        ? true
        : peers.some(({ ipBlock, namespaceSelector, podSelector }) => {
            if (ipBlock) return within(ipBlock.cidr, other) && !(ipBlock.except ?? []).some((cidr) => within(cidr, other))
            const pod = podAt(cluster, other)
            if (!pod) return false
            const namespaceFits = namespaceSelector
              ? selects(namespaceSelector, labelsOfNamespace(cluster, pod))
              : pod.metadata.namespace === metadata.namespace
            return namespaceFits && selects(podSelector ?? {}, pod.metadata.labels ?? {})
          })
    return who && (!ports || ports.length === 0 || ports.some((port) => fits(cluster, port, probe)))
  })
}

function fits(cluster: Cluster, { protocol = 'TCP', port, endPort }: NetworkPolicyPort, probe: Probe): boolean {
  if (protocol !== probe.protocol) return false
  if (port === undefined) return true
  if (typeof port === 'number') return probe.port >= port && probe.port <= (endPort ?? port)
  return hasNamedPort(cluster, port, probe)
}

function judgeTier(
  cluster: Cluster,
  probe: Probe,
  { direction, self, tier }: { readonly direction: 'egress' | 'ingress'; readonly self: Pod; readonly tier: string },
): Decision {
  const policies = cluster.clusterNetworkPolicies
    .filter(({ spec }) => spec.tier === tier && chooses(cluster, spec.subject, self))
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.metadata.name < b.metadata.name ? -1 : 1))
  const other = direction === 'egress' ? probe.destination : probe.source
  for (const { spec } of policies) {
    const rules =
      direction === 'egress'
        ? (spec.egress ?? []).map((r) => ({ ...r, peers: r.to }))
        : (spec.ingress ?? []).map((r) => ({ ...r, peers: r.from }))
    for (const { action, peers, protocols } of rules) {
      const who = peers.some((peer: ClusterNetworkPolicyEgressPeer) => {
        if (peer.networks) return peer.networks.some((cidr) => within(cidr, other))
        const { nodes: nodeSelector } = peer
        if (nodeSelector) {
          const nodes = cluster.nodes.filter(({ metadata }) => selects(nodeSelector, metadata.labels ?? {}))
          return nodes.some(({ status }) => status?.addresses?.some(({ address }) => address === other))
        }
        const pod = podAt(cluster, other)
        return pod !== undefined && chooses(cluster, peer, pod)
      })
      if (!who || (protocols && !protocols.some((protocol) => fitsProtocol(cluster, protocol, probe)))) continue
      if (action === 'Pass') return 'nobody'
      return action === 'Accept' ? 'accept' : 'deny'
    }
  }
  return 'nobody'
}

function chooses(cluster: Cluster, { namespaces, pods }: ClusterNetworkPolicy['spec']['subject'], pod: Pod): boolean {
  const labels = labelsOfNamespace(cluster, pod)
  if (namespaces) return selects(namespaces, labels)
  return pods !== undefined && selects(pods.namespaceSelector ?? {}, labels) && selects(pods.podSelector, pod.metadata.labels ?? {})
}

function fitsProtocol(cluster: Cluster, match: ClusterNetworkPolicyProtocol, probe: Probe): boolean {
  if (match.destinationNamedPort !== undefined) return hasNamedPort(cluster, match.destinationNamedPort, probe)
  const of = match[probe.protocol.toLowerCase() as 'tcp' | 'udp' | 'sctp']
  if (!of) return false
  const { number, range } = of.destinationPort ?? {}
  if (range) return probe.port >= range.start && probe.port <= range.end
  return number === undefined || number === probe.port
}

function hasNamedPort(cluster: Cluster, name: string, { destination, port, protocol }: Probe): boolean {
  const ports = podAt(cluster, destination)?.spec?.containers.flatMap((container) => container.ports ?? []) ?? []
  return ports.some((one) => one.name === name && one.containerPort === port && (one.protocol ?? 'TCP') === protocol)
}

function podAt(cluster: Cluster, address: string): Pod | undefined {
  return cluster.pods.find(
    ({ spec, status }) =>
      spec?.hostNetwork !== true &&
      !['Succeeded', 'Failed'].includes(status?.phase ?? '') &&
      status?.podIPs?.some(({ ip }) => ip === address),
  )
}

function labelsOfNamespace(cluster: Cluster, pod: Pod): Record<string, string> {
  return cluster.namespaces.find(({ metadata }) => metadata.name === pod.metadata.namespace)?.metadata.labels ?? {}
}

function selects({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Record<string, string>): boolean {
  for (const key of Object.keys(matchLabels)) if (labels[key] !== matchLabels[key]) return false
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    if (operator === 'In') return value !== undefined && values.includes(value)
    return value === undefined || !values.includes(value)
  })
}

function within(cidr: string, address: string): boolean {
  const [base = '', length = '0'] = cidr.split('/')
  const width = address.includes(':') ? 128 : 32
  if (base.includes(':') !== address.includes(':')) return false
  const shift = BigInt(width - Number(length))
  return numberOf(base) >> shift === numberOf(address) >> shift
}

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  const [left = '', right] = address.split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail]
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}
