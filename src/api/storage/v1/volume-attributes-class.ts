import type { VolumeAttributesClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const volumeAttributesClasses: KindDefinition<VolumeAttributesClass> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  namespaced: false,
  shortNames: ['vac'],
  schema: 'io.k8s.api.storage.v1.VolumeAttributesClass',
})
