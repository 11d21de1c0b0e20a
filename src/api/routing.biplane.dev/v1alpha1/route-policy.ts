import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkRoutePolicy } from './route-policy-checks.ts'
import type { AddressFamily, NumberRange } from './routing-checks.ts'

/** `Next` goes on with the next rule, or behind the last rule with the next policy of the peer; behind the last policy a route is rejected. */
export type PolicyAction = 'Accept' | 'Reject' | 'Next'
export type RouteOrigin = 'IGP' | 'EGP' | 'Incomplete'
export type RouteSource = 'BGP' | 'PodCIDR' | 'LoadBalancer' | 'ClusterIP' | 'Static'

export interface PrefixMatch {
  prefix: string
  /** Default: the length of `prefix`. */
  minimumLength?: number | undefined
  /** Default: the length of `prefix`, or with `minimumLength` the longest of the family. */
  maximumLength?: number | undefined
}

/** All fields that are given must hold; of a list any entry. */
export interface RouteMatch {
  prefixes?: PrefixMatch[] | undefined
  families?: AddressFamily[] | undefined
  /** Regular expressions over the path as text (`65001 65002`); `_` stands for a border between numbers. */
  asPath?: string[] | undefined
  asPathLength?: NumberRange | undefined
  originatedBy?: number[] | undefined
  passedThrough?: number[] | undefined
  /** `65001:100`, `65001:*` or a well-known name. */
  communities?: string[] | undefined
  largeCommunities?: string[] | undefined
  localPreference?: NumberRange | undefined
  /** Absent on the route counts as 0. */
  med?: NumberRange | undefined
  nextHops?: string[] | undefined
  origins?: RouteOrigin[] | undefined
  /** Names of BGPPeers. */
  peers?: string[] | undefined
  sources?: RouteSource[] | undefined
}

export interface RouteSet {
  localPreference?: number | undefined
  med?: number | undefined
  /** An address, or `self`. */
  nextHop?: string | undefined
  origin?: RouteOrigin | undefined
  /** Defaults: our own AS, once. */
  prepend?: { asn?: number | undefined; count?: number | undefined } | undefined
  communities?: string[] | undefined
  addCommunities?: string[] | undefined
  removeCommunities?: string[] | undefined
  largeCommunities?: string[] | undefined
  addLargeCommunities?: string[] | undefined
  removeLargeCommunities?: string[] | undefined
  /** Import only; larger wins before all else on this node. */
  weight?: number | undefined
}

export interface RoutePolicyRule {
  /** Unique in the policy; explanations name it. */
  name: string
  match?: RouteMatch | undefined
  set?: RouteSet | undefined
  action: PolicyAction
}

export interface RoutePolicySpec {
  rules?: RoutePolicyRule[] | undefined
  /** Default Next. */
  defaultAction?: PolicyAction | undefined
}

/** Cluster-scoped: lets routes through, refuses and changes them. */
export interface RoutePolicy extends KubeObject {
  spec: RoutePolicySpec
}

export const routePolicies: KindDefinition<RoutePolicy> = defineKind<RoutePolicy>({
  group: 'routing.biplane.dev',
  version: 'v1alpha1',
  kind: 'RoutePolicy',
  plural: 'routepolicies',
  shortNames: ['rpol'],
  namespaced: false,
  schema: 'dev.biplane.routing.v1alpha1.RoutePolicy',
  columns: [
    { name: 'Rules', type: 'integer', description: 'Number of rules.', value: ({ spec }) => spec?.rules?.length ?? 0 },
    {
      name: 'Default',
      type: 'string',
      description: 'What happens behind the last rule.',
      value: ({ spec }) => spec?.defaultAction ?? 'Next',
    },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkRoutePolicy(errors, spec ?? {})) },
})
