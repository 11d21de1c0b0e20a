import type { PersistentVolumeClaim } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const persistentVolumeClaims: KindDefinition<PersistentVolumeClaim> = defineKind({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  namespaced: true,
  shortNames: ['pvc'],
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
})
