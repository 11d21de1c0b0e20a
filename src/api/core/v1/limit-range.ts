import type { LimitRange } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const limitRanges: KindDefinition<LimitRange> = defineKind({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  namespaced: true,
  shortNames: ['limits'],
  schema: 'io.k8s.api.core.v1.LimitRange',
})
