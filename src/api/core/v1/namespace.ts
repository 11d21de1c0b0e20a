import type { Namespace } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const namespaces: KindDefinition<Namespace> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
  shortNames: ['ns'],
  schema: 'io.k8s.api.core.v1.Namespace',
})
