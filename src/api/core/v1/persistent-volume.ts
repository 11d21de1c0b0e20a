import { timestamp } from '../../../base/timestamp.ts'
import type { PersistentVolume } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { formatAccessModes } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkVolumeSpec, checkVolumeUpdate } from '../../validation/persistent-volume.ts'

export const persistentVolumes: KindDefinition<PersistentVolume> = defineKind({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
  shortNames: ['pv'],
  schema: 'io.k8s.api.core.v1.PersistentVolume',
  status: true,
  columns: [
    { name: 'Capacity', type: 'string', description: 'Size of the volume.', value: ({ spec }) => spec?.capacity?.storage ?? '0' },
    {
      name: 'Access Modes',
      type: 'string',
      description: 'How it can be mounted.',
      value: ({ spec }) => formatAccessModes(spec?.accessModes),
    },
    {
      name: 'Reclaim Policy',
      type: 'string',
      description: 'What happens to it when its claim goes.',
      value: ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? '',
    },
    {
      name: 'Status',
      type: 'string',
      description: 'Phase of the volume.',
      value: ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')),
    },
    {
      name: 'Claim',
      type: 'string',
      description: 'Claim that it is bound to.',
      value: ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : ''),
    },
    { name: 'StorageClass', type: 'string', description: 'StorageClass of the pv', value: ({ spec }) => spec?.storageClassName ?? '' },
    {
      name: 'VolumeAttributesClass',
      type: 'string',
      description: 'VolumeAttributesClass of the pv',
      value: ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
    },
    { name: 'Reason', type: 'string', description: 'Why it is in that phase.', value: ({ status }) => status?.reason ?? '' },
    {
      name: 'VolumeMode',
      type: 'string',
      priority: 1,
      description: 'File system or block device.',
      value: ({ spec }) => spec?.volumeMode ?? '<unset>',
    },
  ],
  strategy: {
    prepareForCreate(volume, { nowMs }) {
      volume.status = { phase: 'Pending', lastPhaseTransitionTime: timestamp(nowMs) }
    },
    validate: ({ spec }) => collectErrors((errors) => checkVolumeSpec(errors, 'spec', spec ?? {})),
    validateUpdate: (next, previous, { subresource }) =>
      collectErrors((errors) => {
        if (subresource === '') checkVolumeUpdate(errors, next, previous)
      }),
  },
})
