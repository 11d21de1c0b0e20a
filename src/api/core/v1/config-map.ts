import type { ConfigMap } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkDataKeys, checkFrozen, decodedBytes, MAX_DATA_BYTES, textBytes } from '../../validation/config-data.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

export const configMaps: KindDefinition<ConfigMap> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  shortNames: ['cm'],
  schema: 'io.k8s.api.core.v1.ConfigMap',
  columns: [
    {
      name: 'Data',
      type: 'string',
      description: 'Number of keys.',
      value: ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    },
  ],
  strategy: {
    validate: (configMap) => collectErrors((errors) => checkConfigMap(errors, configMap)),
    validateUpdate: (next, previous) => collectErrors((errors) => checkFrozen(errors, next, previous)),
  },
})

function checkConfigMap(errors: FieldErrors, { data, binaryData }: ConfigMap): void {
  checkDataKeys(errors, 'data', data)
  checkDataKeys(errors, 'binaryData', binaryData)
  for (const key of Object.keys(data ?? {})) {
    if (binaryData && Object.hasOwn(binaryData, key)) errors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')
  }
  if (textBytes(data) + decodedBytes(binaryData) > MAX_DATA_BYTES) errors.tooLong('', MAX_DATA_BYTES)
}
