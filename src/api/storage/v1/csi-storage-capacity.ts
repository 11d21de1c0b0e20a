import type { CSIStorageCapacity } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const csiStorageCapacities: KindDefinition<CSIStorageCapacity> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  schema: 'io.k8s.api.storage.v1.CSIStorageCapacity',
})
