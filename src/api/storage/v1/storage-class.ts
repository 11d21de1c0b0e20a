import type { StorageClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkQualifiedName } from '../../meta/names.ts'
import { ageColumn } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelKey } from '../../validation/labels.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'
import { defaultMarkedName } from './default-class.ts'

const MAX_PARAMETERS = 512
const MAX_PARAMETER_BYTES = 256 * 1024

export const storageClasses: KindDefinition<StorageClass> = defineKind<StorageClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
  shortNames: ['sc'],
  schema: 'io.k8s.api.storage.v1.StorageClass',
  ownColumns: true,
  columns: [
    defaultMarkedName(['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']),
    { name: 'Provisioner', type: 'string', description: 'Who makes the volumes.', value: ({ provisioner }) => provisioner },
    {
      name: 'ReclaimPolicy',
      type: 'string',
      description: 'What happens to a volume when its claim goes.',
      value: ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
    },
    {
      name: 'VolumeBindingMode',
      type: 'string',
      description: 'When a volume is made.',
      value: ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate',
    },
    {
      name: 'AllowVolumeExpansion',
      type: 'string',
      description: 'Whether volumes can grow.',
      value: ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    },
    ageColumn,
  ],
  strategy: {
    validate: (storageClass) => collectErrors((errors) => checkClass(errors, storageClass)),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        for (const field of ['parameters', 'provisioner', 'reclaimPolicy'] as const) {
          if (!semanticEqual(next[field], previous[field])) errors.forbidden(field, `updates to ${field} are forbidden.`)
        }
        errors.immutable('volumeBindingMode', next.volumeBindingMode, previous.volumeBindingMode)
      }),
  },
})

function checkClass(errors: FieldErrors, { provisioner, parameters = {}, allowedTopologies = [] }: StorageClass): void {
  if (!provisioner) errors.required('provisioner')
  else errors.invalidEach('provisioner', provisioner, checkQualifiedName(provisioner.toLowerCase()))
  const entries = Object.entries(parameters)
  if (entries.length > MAX_PARAMETERS) errors.tooMany('parameters', entries.length, MAX_PARAMETERS)
  if (entries.some(([key]) => key === '')) errors.invalid('parameters', '', 'field can not be empty.')
  if (entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0) > MAX_PARAMETER_BYTES)
    errors.tooLong('parameters', MAX_PARAMETER_BYTES)
  allowedTopologies.forEach((term, i) => {
    const seen = new Set<string>()
    term.matchLabelExpressions?.forEach(({ key, values }, j) => {
      const field = `allowedTopologies[${i}].matchLabelExpressions[${j}]`
      if (!values?.length) errors.required(`${field}.values`)
      values?.forEach((value, k) => {
        if (values.indexOf(value) !== k) errors.duplicate(`${field}.values[${k}]`, value)
      })
      checkLabelKey(errors, `${field}.key`, key ?? '')
      if (seen.has(key)) errors.duplicate(`${field}.key`, key)
      seen.add(key)
    })
  })
}
