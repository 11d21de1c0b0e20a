import type { Secret } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const secrets: KindDefinition<Secret> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Secret',
})
