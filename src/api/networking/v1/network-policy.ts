import type { NetworkPolicy } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const networkPolicies: KindDefinition<NetworkPolicy> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
  shortNames: ['netpol'],
  schema: 'io.k8s.api.networking.v1.NetworkPolicy',
})
