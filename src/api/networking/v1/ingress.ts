import type { Ingress } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const ingresses: KindDefinition<Ingress> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
  shortNames: ['ing'],
  schema: 'io.k8s.api.networking.v1.Ingress',
})
