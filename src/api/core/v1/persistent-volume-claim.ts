import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../generated/types.ts'
import { defineKind, type KindDefinition, type Strategy } from '../../kind.ts'
import { formatAccessModes } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkClaimSpec, checkClaimUpdate } from '../../validation/persistent-volume.ts'

const strategy: Strategy<PersistentVolumeClaim> = {
  setDefaults({ spec }) {
    if (spec) pairDataSources(spec)
  },
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' }
  },
  validate: ({ spec }) => collectErrors((errors) => checkClaimSpec(errors, 'spec', spec ?? {})),
  validateUpdate: (next, previous, { subresource }) =>
    collectErrors((errors) => {
      if (subresource === '') checkClaimUpdate(errors, next, previous)
    }),
}

export const persistentVolumeClaims: KindDefinition<PersistentVolumeClaim> = defineKind({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  namespaced: true,
  shortNames: ['pvc'],
  schema: 'io.k8s.api.core.v1.PersistentVolumeClaim',
  status: true,
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Phase of the claim.',
      value: ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? '')),
    },
    { name: 'Volume', type: 'string', description: 'Volume that it is bound to.', value: ({ spec }) => spec?.volumeName ?? '' },
    {
      name: 'Capacity',
      type: 'string',
      description: 'Size of the bound volume.',
      value: ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.storage ?? '0') : ''),
    },
    {
      name: 'Access Modes',
      type: 'string',
      description: 'How the bound volume can be mounted.',
      value: ({ spec, status }) => (spec?.volumeName ? formatAccessModes(status?.accessModes) : ''),
    },
    { name: 'StorageClass', type: 'string', description: 'StorageClass of the pvc', value: ({ spec }) => spec?.storageClassName ?? '' },
    {
      name: 'VolumeAttributesClass',
      type: 'string',
      description: 'VolumeAttributesClass of the pvc',
      value: ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
    },
    {
      name: 'VolumeMode',
      type: 'string',
      priority: 1,
      description: 'File system or block device.',
      value: ({ spec }) => spec?.volumeMode ?? '<unset>',
    },
  ],
  strategy,
})

/** `dataSource` is the older form of `dataSourceRef`: each stands for the other. */
function pairDataSources(spec: PersistentVolumeClaimSpec): void {
  if (spec.dataSourceRef?.namespace) return
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource }
  else if (spec.dataSourceRef && !spec.dataSource) spec.dataSource = { ...spec.dataSourceRef }
}
