import type { StorageClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const storageClasses: KindDefinition<StorageClass> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
  shortNames: ['sc'],
  schema: 'io.k8s.api.storage.v1.StorageClass',
})
