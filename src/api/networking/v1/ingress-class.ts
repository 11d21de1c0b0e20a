import type { IngressClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const ingressClasses: KindDefinition<IngressClass> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.IngressClass',
})
