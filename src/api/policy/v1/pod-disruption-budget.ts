import type { PodDisruptionBudget } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const podDisruptionBudgets: KindDefinition<PodDisruptionBudget> = defineKind({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  namespaced: true,
  shortNames: ['pdb'],
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
})
