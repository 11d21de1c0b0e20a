import type { CSINode } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const csiNodes: KindDefinition<CSINode> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.CSINode',
})
