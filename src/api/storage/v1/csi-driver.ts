import type { CSIDriver } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const csiDrivers: KindDefinition<CSIDriver> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.CSIDriver',
})
