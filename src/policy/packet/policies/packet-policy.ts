import type { IpPrefix } from '../../../base/ip.ts'

export type Direction = 'ingress' | 'egress'
export type Tier = 'Admin' | 'NetworkPolicy' | 'Baseline'
export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type DenyAction = 'Drop' | 'Reject'
/** Both directions, in the order in which a packet meets them. */
export const DIRECTIONS = ['egress', 'ingress'] as const

/** Who is on the other end. */
export type PeerMatch =
  | { readonly kind: 'any' }
  /** Addresses of what a selector selects; `selector` is a key of `PacketPolicy.addresses`. */
  | { readonly kind: 'selected'; readonly selector: string }
  | { readonly kind: 'networks'; readonly networks: readonly IpPrefix[]; readonly except: readonly IpPrefix[] }

/** What of the destination's port is matched. */
export type PortMatch =
  /** Both ends included; 0 to 65535 is every port of the protocol. */
  | { readonly protocol: Protocol; readonly from: number; readonly to: number }
  /** A container port of the destination pod; `named` is a key of `PacketPolicy.namedPorts`. */
  | { readonly protocol: Protocol; readonly named: string }

export interface PolicyRule {
  /** Place in the policy's list of this direction. */
  readonly index: number
  readonly name?: string
  readonly action: 'Accept' | 'Deny' | 'Pass'
  /** Any of them; none matches nobody. */
  readonly peers: readonly PeerMatch[]
  /** Any of them. Absent: all traffic, of whatever protocol. */
  readonly ports?: readonly PortMatch[]
}

export interface CompiledPolicy {
  /** `NetworkPolicy/<namespace>/<name>` or `ClusterNetworkPolicy/<name>`. */
  readonly id: string
  readonly tier: Tier
  /** NetworkPolicies only. */
  readonly namespace?: string
  readonly name: string
  /** ClusterNetworkPolicies only. */
  readonly priority: number
  /** Selector of the pods that it is for. */
  readonly subject: string
  readonly denyAction?: DenyAction
  /** Absent: this direction is not judged by the policy. A NetworkPolicy that has it isolates. */
  readonly ingress?: readonly PolicyRule[]
  readonly egress?: readonly PolicyRule[]
}

/**
 * Who judges one direction of some pods: ids of policies, Admin and Baseline in the order of judgement. Pods with the same judges share the
 * object, so that it can be compared by identity.
 */
export interface Judges {
  readonly key: string
  readonly admin: readonly string[]
  readonly network: readonly string[]
  /** Empty where a NetworkPolicy isolates: it has the last word. */
  readonly baseline: readonly string[]
  /** How a NetworkPolicy's isolation denies. */
  readonly isolation: DenyAction
}

export interface JudgedPod {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** Absent: nothing judges this direction. */
  readonly ingress?: Judges
  readonly egress?: Judges
}

/** Container ports of one name and protocol: port number -> addresses of the pods that have it. */
export type NamedPort = ReadonlyMap<number, ReadonlySet<string>>

/**
 * What one node does with the packets of its pods: the artefact that `evaluatePacket` explains and that the kernel runs. A snapshot; parts that
 * did not change are the same objects as in the snapshot before. Addresses are texts as `formatIp` writes them.
 */
export interface PacketPolicy {
  /** Greatest resourceVersion of what went in. */
  readonly revision: string
  readonly policies: ReadonlyMap<string, CompiledPolicy>
  /** Selector -> addresses of all that it selects in the cluster. */
  readonly addresses: ReadonlyMap<string, ReadonlySet<string>>
  readonly namedPorts: ReadonlyMap<string, NamedPort>
  /** Address -> pod, for the pods of this node that something judges. */
  readonly pods: ReadonlyMap<string, JudgedPod>
  /** Addresses of this node: traffic between it and its own pods is never judged. */
  readonly nodeAddresses: ReadonlySet<string>
  /** How ClusterNetworkPolicies without a word of their own deny. */
  readonly denyAction: DenyAction
  /** Policies, or parts of them, that cannot be understood and so deny more than was written. */
  readonly problems: readonly { readonly policy: string; readonly message: string }[]
}
