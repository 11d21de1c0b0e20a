import type { VolumeAttachment } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const volumeAttachments: KindDefinition<VolumeAttachment> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.VolumeAttachment',
})
