import type { EndpointSlice } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const endpointSlices: KindDefinition<EndpointSlice> = defineKind({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
})
