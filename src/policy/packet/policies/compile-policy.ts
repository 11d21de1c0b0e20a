import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../api/generated/types.ts'
import type {
  ClusterNetworkPolicy,
  ClusterNetworkPolicyAction,
  ClusterNetworkPolicyEgressPeer,
  ClusterNetworkPolicyProtocol,
} from '../../../api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { messageOf } from '../../../base/errors.ts'
import { parsePrefix, type IpPrefix } from '../../../base/ip.ts'
import { annotatedDenyAction } from './deny-action.ts'
import type { CompiledPolicy, PeerMatch, PolicyRule, PortMatch, Protocol } from './packet-policy.ts'
import { podsOfNamespace, podsOfNamespaces, selectedNodes, type Selection } from './selector-key.ts'

/** One policy, with the selectors and named ports that must be followed for it. */
export interface CompiledSource {
  readonly policy: CompiledPolicy
  readonly selections: readonly Selection[]
  readonly namedPorts: readonly string[]
  readonly problems: readonly string[]
}

const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']
const ANY: readonly PeerMatch[] = [{ kind: 'any' }]

/** Key of a named port. Names hold no `/`. */
export function namedPortKey(protocol: string, name: string): string {
  return `${protocol}/${name}`
}

/**
 * Compiles a NetworkPolicy by itself. A part that cannot be understood allows nothing; a subject that cannot be understood selects nobody
 * (validation refuses both, so this is for objects that a later version wrote). Source: k8s.io/api/networking/v1 NetworkPolicySpec.
 */
export function compileNetworkPolicy(object: NetworkPolicy): CompiledSource {
  const { name, namespace = 'default', annotations } = object.metadata
  const { podSelector, ingress, egress, policyTypes = [] } = object.spec ?? {}
  const types = policyTypes.length > 0 ? policyTypes : ['Ingress', ...(egress && egress.length > 0 ? ['Egress'] : [])]
  const build = new SourceBuilder()
  const peersOf = (peers: readonly NetworkPolicyPeer[] | undefined): readonly PeerMatch[] =>
    peers === undefined || peers.length === 0
      ? ANY
      : peers.flatMap((peer) => build.attempt(() => networkPeer(build, namespace, peer)) ?? [])
  const rule = (index: number, peers: readonly NetworkPolicyPeer[] | undefined, ports: readonly NetworkPolicyPort[] = []): PolicyRule => ({
    index,
    action: 'Accept',
    peers: peersOf(peers),
    // a port that is not understood matches nothing; none at all would match everything
    ...(ports.length > 0 ? { ports: ports.flatMap((port) => build.attempt(() => [networkPort(build, port)]) ?? []) } : {}),
  })
  const subject = build.attempt(() => build.select(podsOfNamespace(namespace, podSelector ?? {})))
  const denyAction = annotatedDenyAction(annotations)
  return build.done({
    id: `NetworkPolicy/${namespace}/${name}`,
    tier: 'NetworkPolicy',
    namespace,
    name,
    priority: 0,
    subject: subject ?? '',
    ...(denyAction ? { denyAction } : {}),
    ...(types.includes('Ingress') ? { ingress: (ingress ?? []).map(({ from, ports }, i) => rule(i, from, ports)) } : {}),
    ...(types.includes('Egress') ? { egress: (egress ?? []).map(({ to, ports }, i) => rule(i, to, ports)) } : {}),
  })
}

/**
 * Compiles a ClusterNetworkPolicy by itself. A peer or protocol that cannot be understood fails closed as upstream asks: an Accept rule does
 * not match by it, a Deny or Pass rule becomes a denial of everything.
 */
export function compileClusterNetworkPolicy(object: ClusterNetworkPolicy): CompiledSource {
  const { metadata, spec } = object
  const build = new SourceBuilder()
  const compileRule = (
    index: number,
    {
      name,
      action,
      protocols,
    }: { name?: string | undefined; action: ClusterNetworkPolicyAction; protocols?: ClusterNetworkPolicyProtocol[] | undefined },
    peers: readonly ClusterNetworkPolicyEgressPeer[] = [],
  ): PolicyRule => {
    const named = name ? { name } : {}
    const before = build.problems.length
    const compiled = peers.flatMap((peer) => build.attempt(() => [clusterPeer(build, peer)]) ?? [])
    const ports = protocols?.flatMap((protocol) => build.attempt(() => clusterPorts(build, protocol)) ?? [])
    if (build.problems.length > before && action !== 'Accept') return { index, ...named, action: 'Deny', peers: ANY }
    return { index, ...named, action, peers: compiled, ...(ports ? { ports } : {}) }
  }
  const subject = build.attempt(() => build.select(clusterPods(spec.subject)))
  const denyAction = annotatedDenyAction(metadata.annotations)
  return build.done({
    id: `ClusterNetworkPolicy/${metadata.name}`,
    tier: spec.tier,
    name: metadata.name,
    priority: spec.priority,
    subject: subject ?? '',
    ...(denyAction ? { denyAction } : {}),
    ...(spec.ingress?.length ? { ingress: spec.ingress.map((rule, i) => compileRule(i, rule, rule.from)) } : {}),
    ...(spec.egress?.length ? { egress: spec.egress.map((rule, i) => compileRule(i, rule, rule.to)) } : {}),
  })
}

/** Collects what a policy needs beside its rules. */
class SourceBuilder {
  readonly problems: string[] = []
  readonly #selections = new Map<string, Selection>()
  readonly #namedPorts = new Set<string>()

  select(selection: Selection): string {
    this.#selections.set(selection.key, selection)
    return selection.key
  }

  named(protocol: Protocol, name: string): PortMatch {
    const named = namedPortKey(protocol, name)
    this.#namedPorts.add(named)
    return { protocol, named }
  }

  attempt<T>(fn: () => T): T | undefined {
    try {
      return fn()
    } catch (error) {
      this.problems.push(messageOf(error))
      return undefined
    }
  }

  done(policy: CompiledPolicy): CompiledSource {
    return { policy, selections: [...this.#selections.values()], namedPorts: [...this.#namedPorts], problems: this.problems }
  }
}

function networkPeer(build: SourceBuilder, namespace: string, peer: NetworkPolicyPeer): readonly PeerMatch[] {
  const { podSelector, namespaceSelector, ipBlock } = peer
  if (ipBlock) return [{ kind: 'networks', networks: [network(ipBlock.cidr)], except: (ipBlock.except ?? []).map(network) }]
  if (namespaceSelector) return [{ kind: 'selected', selector: build.select(podsOfNamespaces(namespaceSelector, podSelector ?? {})) }]
  if (podSelector) return [{ kind: 'selected', selector: build.select(podsOfNamespace(namespace, podSelector)) }]
  throw new Error('a peer of no known kind')
}

function networkPort(build: SourceBuilder, { protocol = 'TCP', port, endPort }: NetworkPolicyPort): PortMatch {
  const known = PROTOCOLS.find((one) => one === protocol)
  if (!known) throw new Error(`protocol "${protocol}" is none of ${PROTOCOLS.join(', ')}`)
  if (port === undefined) return { protocol: known, from: 0, to: 65_535 }
  return typeof port === 'string' ? build.named(known, port) : { protocol: known, from: port, to: endPort ?? port }
}

function clusterPeer(build: SourceBuilder, peer: ClusterNetworkPolicyEgressPeer): PeerMatch {
  if (peer.networks) return { kind: 'networks', networks: peer.networks.map(network), except: [] }
  if (peer.nodes) return { kind: 'selected', selector: build.select(selectedNodes(peer.nodes)) }
  return { kind: 'selected', selector: build.select(clusterPods(peer)) }
}

function clusterPods({ namespaces, pods }: Pick<ClusterNetworkPolicyEgressPeer, 'namespaces' | 'pods'>): Selection {
  if (namespaces) return podsOfNamespaces(namespaces, {})
  if (pods) return podsOfNamespaces(pods.namespaceSelector ?? ({} as LabelSelector), pods.podSelector)
  throw new Error('a peer of no known kind')
}

function clusterPorts(build: SourceBuilder, protocol: ClusterNetworkPolicyProtocol): readonly PortMatch[] {
  const { destinationNamedPort: name } = protocol
  if (name !== undefined) return PROTOCOLS.map((one) => build.named(one, name))
  const matches = PROTOCOLS.flatMap((one): readonly PortMatch[] => {
    const match = protocol[one.toLowerCase() as 'tcp' | 'udp' | 'sctp']
    if (!match) return []
    const { number, range } = match.destinationPort ?? {}
    if (range) return [{ protocol: one, from: range.start, to: range.end }]
    return [{ protocol: one, from: number ?? 0, to: number ?? 65_535 }]
  })
  if (matches.length === 0) throw new Error('a protocol of no known kind')
  return matches
}

function network(text: string): IpPrefix {
  const prefix = parsePrefix(text)
  if (!prefix) throw new Error(`"${text}" is no CIDR`)
  return prefix
}
