import type { Lease } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const leases: KindDefinition<Lease> = defineKind({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  schema: 'io.k8s.api.coordination.v1.Lease',
})
