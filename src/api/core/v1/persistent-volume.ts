import type { PersistentVolume } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const persistentVolumes: KindDefinition<PersistentVolume> = defineKind({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
  shortNames: ['pv'],
  schema: 'io.k8s.api.core.v1.PersistentVolume',
})
