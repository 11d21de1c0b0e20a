import type { ResourceQuota } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const resourceQuotas: KindDefinition<ResourceQuota> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
  shortNames: ['quota'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
})
