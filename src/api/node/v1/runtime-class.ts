import type { RuntimeClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const runtimeClasses: KindDefinition<RuntimeClass> = defineKind({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  schema: 'io.k8s.api.node.v1.RuntimeClass',
})
