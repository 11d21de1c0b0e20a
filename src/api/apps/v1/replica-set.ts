import type { ReplicaSet } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const replicaSets: KindDefinition<ReplicaSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
  shortNames: ['rs'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
})
