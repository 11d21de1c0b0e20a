import type { Pod } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const pods: KindDefinition<Pod> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  namespaced: true,
  shortNames: ['po'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.Pod',
})
