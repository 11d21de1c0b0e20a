import type { StatefulSet } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const statefulSets: KindDefinition<StatefulSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  namespaced: true,
  shortNames: ['sts'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.StatefulSet',
})
