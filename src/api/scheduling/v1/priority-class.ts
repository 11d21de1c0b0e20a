import type { PriorityClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const priorityClasses: KindDefinition<PriorityClass> = defineKind({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  namespaced: false,
  shortNames: ['pc'],
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
})
