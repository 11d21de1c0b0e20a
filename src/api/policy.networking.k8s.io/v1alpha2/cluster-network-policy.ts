import type { Condition, LabelSelector } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkClusterNetworkPolicy } from './cluster-network-policy-checks.ts'

export interface NamespacedPod {
  /** Absent or empty: all namespaces. */
  namespaceSelector?: LabelSelector | undefined
  podSelector: LabelSelector
}

/** Sources of traffic; exactly one field. */
export interface ClusterNetworkPolicyIngressPeer {
  namespaces?: LabelSelector | undefined
  pods?: NamespacedPod | undefined
}

/** Destinations of traffic; exactly one field. */
export interface ClusterNetworkPolicyEgressPeer extends ClusterNetworkPolicyIngressPeer {
  nodes?: LabelSelector | undefined
  networks?: string[] | undefined
  /** Refused: the data plane sees addresses, not names. */
  domainNames?: string[] | undefined
}

export interface ClusterNetworkPolicyPort {
  number?: number | undefined
  range?: { start: number; end: number } | undefined
}

export interface ClusterNetworkPolicyProtocolMatch {
  destinationPort?: ClusterNetworkPolicyPort | undefined
}

/** A protocol or a named port; exactly one field. */
export interface ClusterNetworkPolicyProtocol {
  tcp?: ClusterNetworkPolicyProtocolMatch | undefined
  udp?: ClusterNetworkPolicyProtocolMatch | undefined
  sctp?: ClusterNetworkPolicyProtocolMatch | undefined
  destinationNamedPort?: string | undefined
}

export type ClusterNetworkPolicyAction = 'Accept' | 'Deny' | 'Pass'

interface Rule {
  name?: string | undefined
  action: ClusterNetworkPolicyAction
  protocols?: ClusterNetworkPolicyProtocol[] | undefined
}

export interface ClusterNetworkPolicyIngressRule extends Rule {
  from: ClusterNetworkPolicyIngressPeer[]
}

export interface ClusterNetworkPolicyEgressRule extends Rule {
  to: ClusterNetworkPolicyEgressPeer[]
}

export interface ClusterNetworkPolicySpec {
  tier: 'Admin' | 'Baseline'
  /** 0 to 1000; lower is judged earlier. */
  priority: number
  /** Exactly one field. */
  subject: { namespaces?: LabelSelector | undefined; pods?: NamespacedPod | undefined }
  ingress?: ClusterNetworkPolicyIngressRule[] | undefined
  egress?: ClusterNetworkPolicyEgressRule[] | undefined
}

/**
 * Cluster-scoped packet policy in tiers around NetworkPolicy. Source: kubernetes-sigs/network-policy-api apis/v1alpha2, both channels; of
 * those only `domainNames` is refused.
 */
export interface ClusterNetworkPolicy extends KubeObject {
  spec: ClusterNetworkPolicySpec
  status?: { conditions?: Condition[] | undefined } | undefined
}

export const clusterNetworkPolicies: KindDefinition<ClusterNetworkPolicy> = defineKind<ClusterNetworkPolicy>({
  group: 'policy.networking.k8s.io',
  version: 'v1alpha2',
  kind: 'ClusterNetworkPolicy',
  plural: 'clusternetworkpolicies',
  namespaced: false,
  shortNames: ['cnp'],
  schema: 'io.k8s.api.networkpolicy.v1alpha2.ClusterNetworkPolicy',
  status: true,
  columns: [
    {
      name: 'Tier',
      type: 'string',
      description: 'Before (Admin) or after (Baseline) the NetworkPolicies.',
      value: ({ spec }) => spec?.tier ?? '',
    },
    { name: 'Priority', type: 'string', description: 'Lower is judged earlier.', value: ({ spec }) => String(spec?.priority ?? '') },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkClusterNetworkPolicy(errors, spec ?? {})) },
})
