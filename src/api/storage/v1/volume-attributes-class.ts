import type { VolumeAttributesClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkSubdomainName } from '../../meta/names.ts'
import { ageColumn } from '../../print/columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'
import { defaultMarkedName } from './default-class.ts'

export const volumeAttributesClasses: KindDefinition<VolumeAttributesClass> = defineKind<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  namespaced: false,
  shortNames: ['vac'],
  schema: 'io.k8s.api.storage.v1.VolumeAttributesClass',
  ownColumns: true,
  columns: [
    defaultMarkedName(['volumeattributesclass.alpha.kubernetes.io/is-default-class']),
    { name: 'DriverName', type: 'string', description: 'Driver that the attributes are for.', value: ({ driverName }) => driverName },
    ageColumn,
  ],
  strategy: {
    validate: ({ driverName, parameters }) =>
      collectErrors((errors) => {
        if (!driverName) errors.required('driverName')
        else errors.invalidEach('driverName', driverName, checkSubdomainName(driverName.toLowerCase()))
        if (Object.keys(parameters ?? {}).length === 0) errors.required('parameters', 'must contain at least one key/value pair')
      }),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        for (const field of ['driverName', 'parameters'] as const) {
          if (!semanticEqual(next[field], previous[field])) errors.forbidden(field, `updates to ${field} are forbidden.`)
        }
      }),
  },
})
