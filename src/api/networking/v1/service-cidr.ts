import type { ServiceCIDR } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const serviceCIDRs: KindDefinition<ServiceCIDR> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
})
