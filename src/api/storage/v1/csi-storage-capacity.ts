import type { CSIStorageCapacity } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkSubdomainName } from '../../meta/names.ts'
import { nameColumn } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkResourceQuantity } from '../../validation/quantities.ts'

export const csiStorageCapacities: KindDefinition<CSIStorageCapacity> = defineKind<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  namespaced: true,
  schema: 'io.k8s.api.storage.v1.CSIStorageCapacity',
  ownColumns: true,
  columns: [
    nameColumn,
    {
      name: 'StorageClassName',
      type: 'string',
      description: 'Class that the capacity is for.',
      value: ({ storageClassName }) => storageClassName,
    },
    { name: 'Capacity', type: 'string', description: 'Bytes that can be provisioned.', value: ({ capacity }) => capacity ?? '<unset>' },
  ],
  strategy: {
    validate: ({ storageClassName, nodeTopology, capacity, maximumVolumeSize }) =>
      collectErrors((errors) => {
        errors.invalidEach('storageClassName', storageClassName, checkSubdomainName(storageClassName ?? ''))
        checkLabelSelector(errors, 'nodeTopology', nodeTopology)
        if (capacity !== undefined) checkResourceQuantity(errors, 'capacity', 'storage', capacity)
        if (maximumVolumeSize !== undefined) checkResourceQuantity(errors, 'maximumVolumeSize', 'storage', maximumVolumeSize)
      }),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        for (const field of ['nodeTopology', 'storageClassName'] as const) errors.immutable(field, next[field], previous[field])
      }),
  },
})
