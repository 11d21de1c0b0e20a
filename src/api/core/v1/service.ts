import type { Service } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const services: KindDefinition<Service> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
  shortNames: ['svc'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.Service',
})
