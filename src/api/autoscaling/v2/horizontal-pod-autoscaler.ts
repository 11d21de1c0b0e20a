import type { V2HorizontalPodAutoscaler } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const horizontalPodAutoscalers: KindDefinition<V2HorizontalPodAutoscaler> = defineKind({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  schema: 'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler',
})
