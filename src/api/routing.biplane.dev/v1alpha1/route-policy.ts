import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkRoutePolicy } from './route-policy-checks.ts'
import type { NumberRange } from './routing-checks.ts'

export type RouteOrigin = 'IGP' | 'EGP' | 'Incomplete'
/** Load-balancer stands for all addresses of services. */
export type RouteSource = 'BGP' | 'Static' | 'PodRange' | 'LoadBalancer' | 'Connected'

export interface PrefixMatch {
  /** Without `ge` and `le` only this very prefix matches. */
  prefix: string
  /** Shortest length that matches. Default: the prefix's own; alone it means up to the full length. */
  ge?: number
  /** Longest length that matches. */
  le?: number
}

export interface CommunityMatch {
  any?: string[]
  all?: string[]
  none?: string[]
}

/** All fields that are given must hold. */
export interface RouteMatch {
  prefixes?: PrefixMatch[]
  /** Regular expressions over the path as text (`65001 65002`); `_` stands for a border between numbers. */
  asPath?: string[]
  asPathLength?: NumberRange
  originAs?: number[]
  communities?: CommunityMatch
  largeCommunities?: CommunityMatch
  nextHops?: string[]
  localPreference?: NumberRange
  /** A route without MED has 0. */
  med?: NumberRange
  origins?: RouteOrigin[]
  sources?: RouteSource[]
}

export interface CommunityActions {
  /** Replaces all. Applied first. */
  replace?: string[]
  remove?: string[]
  add?: string[]
}

export interface RouteActions {
  localPreference?: number
  med?: number
  addMed?: number
  removeMed?: boolean
  origin?: RouteOrigin
  /** Default AS: on export the own one, on import the neighbour's. */
  prepend?: { as?: number; count: number }
  communities?: CommunityActions
  largeCommunities?: CommunityActions
  /** `self`, `unchanged` (export only) or an address. */
  nextHop?: string
}

export interface RoutePolicyRule {
  /** Unique in the policy; explanations name it. */
  name: string
  match?: RouteMatch
  set?: RouteActions
  /** `Continue` goes on with the next rule, keeping the changes. */
  action: 'Accept' | 'Reject' | 'Continue'
}

export interface RoutePolicySpec {
  rules?: RoutePolicyRule[]
  /** What happens to a route that no rule decided. Default: the next policy of the peer, and Reject behind the last. */
  defaultAction?: 'Accept' | 'Reject'
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
