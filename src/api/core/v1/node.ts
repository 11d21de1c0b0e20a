import type { Node } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const nodes: KindDefinition<Node> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  namespaced: false,
  shortNames: ['no'],
  schema: 'io.k8s.api.core.v1.Node',
})
