import type { Endpoints } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const endpoints: KindDefinition<Endpoints> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  schema: 'io.k8s.api.core.v1.Endpoints',
})
