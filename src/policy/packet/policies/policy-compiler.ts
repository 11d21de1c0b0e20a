import type { Namespace, NetworkPolicy, Node, Pod } from '../../../api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../../api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { compileClusterNetworkPolicy, compileNetworkPolicy, type CompiledSource } from './compile-policy.ts'
import { annotatedDenyAction } from './deny-action.ts'
import { JudgeTable } from './judge-table.ts'
import { ListChanges } from './list-changes.ts'
import { NamedPortIndex } from './named-ports.ts'
import { DIRECTIONS, type DenyAction, type JudgedPod, type Judges, type PacketPolicy } from './packet-policy.ts'
import { canonicalIp, podFacts, sameFacts } from './pod-facts.ts'
import { SelectionIndex } from './selection-index.ts'

/** A pod whose addresses the node knows before the API does. */
export interface ClaimedPod {
  readonly pod: Pod
  readonly ips: readonly string[]
}

/** All lists are whole; objects are never changed in place. */
export interface PolicyInput {
  readonly networkPolicies: Iterable<NetworkPolicy>
  readonly clusterNetworkPolicies: Iterable<ClusterNetworkPolicy>
  /** Of the whole cluster: peers may be anywhere. */
  readonly pods: Iterable<Pod>
  readonly namespaces: Iterable<Namespace>
  readonly nodes: Iterable<Node>
  /** Whose pods are judged. Absent: all pods, as if they ran on one node. */
  readonly node?: string
  readonly options?: {
    /** For denials that no annotation says more of. Default `Drop`. */
    readonly denyAction?: DenyAction
  }
  /** By uid; these addresses win over those of the status. */
  readonly claims?: ReadonlyMap<string, ClaimedPod>
  /** Uids of pods that are gone from the node although the API still has them. */
  readonly released?: ReadonlySet<string>
}

/** Compiles at once; see PolicyCompiler for lists that change. */
export function compilePolicies(input: PolicyInput): PacketPolicy {
  return new PolicyCompiler().update(input)
}

const podKey = ({ metadata: { namespace, name, uid } }: Pod): string => `${namespace ?? 'default'}/${name}/${uid ?? ''}`

/**
 * Compiles policies and keeps what it knows: `update` costs what has changed (plus one look at every object), and leaves alone, as the same
 * objects, all parts of the artefact that stay as they are. Deterministic, no clock, no I/O.
 */
export class PolicyCompiler {
  readonly #pods = new ListChanges<Pod>(podKey)
  readonly #namespaces = new ListChanges<Namespace>(({ metadata }) => metadata.name)
  readonly #nodes = new ListChanges<Node>(({ metadata }) => metadata.name)
  readonly #network = new ListChanges<NetworkPolicy>(({ metadata }) => `NetworkPolicy/${metadata.namespace ?? 'default'}/${metadata.name}`)
  readonly #cluster = new ListChanges<ClusterNetworkPolicy>(({ metadata }) => `ClusterNetworkPolicy/${metadata.name}`)
  readonly #index = new SelectionIndex()
  readonly #named = new NamedPortIndex()
  readonly #sources = new Map<string, CompiledSource>()
  readonly #judges = new JudgeTable()
  readonly #objects = new Map<string, Pod>()
  readonly #keysOfUid = new Map<string, string>()
  readonly #denyActions = new Map<string, DenyAction>()
  readonly #judged = new Map<string, { readonly ips: readonly string[]; readonly pod: JudgedPod; readonly claimed: boolean }>()
  #claims: ReadonlyMap<string, ClaimedPod> = new Map()
  #released: ReadonlySet<string> = new Set()
  #nodeAddresses: ReadonlySet<string> = new Set()
  #byAddress: ReadonlyMap<string, JudgedPod> = new Map()
  #revision = 0n

  update(input: PolicyInput): PacketPolicy {
    const { node, options: { denyAction = 'Drop' } = {} } = input
    this.#followNamespaces(input.namespaces)
    this.#followNodes(input.nodes, node)
    this.#followPods(input)
    this.#followPolicies(input)
    this.#judge(node, denyAction)
    return {
      revision: this.#revision.toString(),
      policies: new Map([...this.#sources].map(([id, { policy }]) => [id, policy])),
      addresses: new Map([...this.#index.selectors()].map((key) => [key, this.#index.addresses(key)])),
      namedPorts: this.#named.show(),
      pods: this.#byAddress,
      nodeAddresses: this.#nodeAddresses,
      denyAction,
      problems: [...this.#sources.values()].flatMap(({ policy, problems }) => problems.map((message) => ({ policy: policy.id, message }))),
    }
  }

  #followNamespaces(list: Iterable<Namespace>): void {
    const { set, gone } = this.#namespaces.next(list)
    for (const { metadata } of set) {
      this.#saw(metadata)
      this.#index.setNamespace(metadata.name, metadata.labels ?? {})
      this.#setDenyAction(metadata.name, annotatedDenyAction(metadata.annotations))
    }
    for (const name of gone) {
      this.#index.setNamespace(name, undefined)
      this.#setDenyAction(name, undefined)
    }
  }

  #setDenyAction(namespace: string, action: DenyAction | undefined): void {
    if (this.#denyActions.get(namespace) === action) return
    if (action) this.#denyActions.set(namespace, action)
    else this.#denyActions.delete(namespace)
    this.#index.touch(this.#index.podsOfNamespace(namespace))
  }

  #followNodes(list: Iterable<Node>, own: string | undefined): void {
    const { set, gone } = this.#nodes.next(list)
    for (const { metadata, status } of set) {
      this.#saw(metadata)
      const ips = [...new Set((status?.addresses ?? []).flatMap(({ address }) => canonicalIp(address) ?? []))]
      this.#index.setNode(metadata.name, { labels: metadata.labels ?? {}, ips })
      if (metadata.name === own) this.#nodeAddresses = new Set(ips)
    }
    for (const name of gone) this.#index.setNode(name, undefined)
  }

  #followPods({ pods, claims = new Map(), released = new Set() }: PolicyInput): void {
    const stale = new Set<string>()
    const { set, gone } = this.#pods.next(withClaimed(pods, claims))
    for (const key of gone) {
      this.#setPod(key, undefined)
      const uid = this.#objects.get(key)?.metadata.uid
      if (uid !== undefined) this.#keysOfUid.delete(uid)
      this.#objects.delete(key)
    }
    for (const pod of set) {
      this.#saw(pod.metadata)
      const key = podKey(pod)
      this.#objects.set(key, pod)
      if (pod.metadata.uid) this.#keysOfUid.set(pod.metadata.uid, key)
      stale.add(key)
    }
    if (claims !== this.#claims || released !== this.#released) {
      for (const uid of changedUids(this.#claims, claims, this.#released, released)) stale.add(this.#keysOfUid.get(uid) ?? '')
    }
    this.#claims = claims
    this.#released = released
    for (const key of stale) {
      const pod = this.#objects.get(key)
      if (pod) this.#setPod(key, pod)
    }
  }

  #setPod(key: string, pod: Pod | undefined): void {
    const uid = pod?.metadata.uid ?? ''
    const facts = pod && !this.#released.has(uid) ? podFacts(pod, this.#claims.get(uid)?.ips) : undefined
    const before = this.#index.get(key)
    if (facts && this.#claims.has(uid)) this.#index.touch([key])
    if (before && facts && sameFacts(before, facts)) return
    this.#named.setPod(key, before, facts)
    this.#index.setPod(key, facts)
  }

  #followPolicies(input: PolicyInput): void {
    const network = this.#network.next(input.networkPolicies)
    const cluster = this.#cluster.next(input.clusterNetworkPolicies)
    for (const { metadata } of [...network.set, ...cluster.set]) this.#saw(metadata)
    for (const id of [...network.gone, ...cluster.gone]) this.#setSource(id, undefined)
    for (const source of [...network.set.map(compileNetworkPolicy), ...cluster.set.map(compileClusterNetworkPolicy)]) {
      this.#setSource(source.policy.id, source)
    }
  }

  #setSource(id: string, source: CompiledSource | undefined): void {
    const before = this.#sources.get(id)
    // what both need is never let go in between, so that it stays the same object
    for (const selection of source?.selections ?? []) this.#index.acquire(selection)
    for (const name of source?.namedPorts ?? []) this.#named.acquire(name)
    if (source) this.#sources.set(id, source)
    else this.#sources.delete(id)
    const touched = this.#judges.setPolicy(before?.policy, source?.policy)
    for (const subject of touched) this.#index.touch(this.#index.members(subject))
    for (const { key } of before?.selections ?? []) this.#index.release(key)
    for (const name of before?.namedPorts ?? []) this.#named.release(name)
  }

  #judge(node: string | undefined, denyAction: DenyAction): void {
    let changed = false
    for (const key of this.#index.takeTouched()) {
      const facts = this.#index.get(key)
      const before = this.#judged.get(key)
      const local = facts && (node === undefined || facts.node === node || this.#claims.has(facts.uid))
      const found: { ingress?: Judges; egress?: Judges } = {}
      if (local) {
        const selecting = this.#index.selecting(key)
        const fallback = this.#denyActions.get(facts.namespace) ?? denyAction
        for (const direction of DIRECTIONS) {
          const judges = this.#judges.find(selecting, direction, fallback)
          if (judges) found[direction] = judges
        }
      }
      const judged =
        facts && (found.ingress || found.egress) ? { namespace: facts.namespace, name: facts.name, uid: facts.uid, ...found } : undefined
      if (judged) for (const direction of DIRECTIONS) this.#judges.hold(judged[direction])
      if (before) for (const direction of DIRECTIONS) this.#judges.letGo(before.pod[direction])
      const claimed = judged !== undefined && this.#claims.has(judged.uid)
      if (!judged) {
        changed = this.#judged.delete(key) || changed
      } else if (!before || before.claimed !== claimed || !sameTexts(before.ips, facts?.ips ?? []) || !samePod(before.pod, judged)) {
        this.#judged.set(key, { ips: facts?.ips ?? [], pod: judged, claimed })
        changed = true
      }
    }
    if (!changed) return
    // an address that a pod of this node has for sure is not one of a pod that the API has not yet let go
    const rows = [...this.#judged.values()].sort((a, b) => Number(a.claimed) - Number(b.claimed))
    this.#byAddress = new Map(rows.flatMap(({ ips, pod }) => ips.map((ip) => [ip, pod] as const)))
  }

  #saw({ resourceVersion }: { readonly resourceVersion?: string | undefined }): void {
    if (resourceVersion === undefined || !/^\d{1,20}$/.test(resourceVersion)) return
    const revision = BigInt(resourceVersion)
    if (revision > this.#revision) this.#revision = revision
  }
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((text, i) => text === b[i])

function samePod(a: JudgedPod, b: JudgedPod): boolean {
  return a.ingress === b.ingress && a.egress === b.egress && a.uid === b.uid
}

/** The listed pods, and the claimed ones that the list does not have yet. */
function* withClaimed(pods: Iterable<Pod>, claims: ReadonlyMap<string, ClaimedPod>): Iterable<Pod> {
  const listed = new Set<string>()
  for (const pod of pods) {
    const { uid } = pod.metadata
    if (uid !== undefined && claims.has(uid)) listed.add(uid)
    yield pod
  }
  for (const [uid, { pod }] of claims) if (!listed.has(uid)) yield pod
}

function changedUids(
  claimsBefore: ReadonlyMap<string, ClaimedPod>,
  claims: ReadonlyMap<string, ClaimedPod>,
  releasedBefore: ReadonlySet<string>,
  released: ReadonlySet<string>,
): readonly string[] {
  return [
    ...[...claims].flatMap(([uid, claim]) => (claimsBefore.get(uid) === claim ? [] : [uid])),
    ...[...claimsBefore.keys()].filter((uid) => !claims.has(uid)),
    ...[...released].filter((uid) => !releasedBefore.has(uid)),
    ...[...releasedBefore].filter((uid) => !released.has(uid)),
  ]
}
