import type { CSINode } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkQualifiedName, checkSubdomainName } from '../../meta/names.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'

export const csiNodes: KindDefinition<CSINode> = defineKind({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  schema: 'io.k8s.api.storage.v1.CSINode',
  columns: [
    {
      name: 'Drivers',
      type: 'integer',
      description: 'Drivers indicates the number of CSI drivers registered on the node',
      value: ({ spec }) => spec?.drivers?.length ?? 0,
    },
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    validate: (node) => collectErrors((errors) => checkDrivers(errors, node)),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        next.spec?.drivers?.forEach((driver, i) => {
          const old = previous.spec?.drivers?.find((one) => one.name === driver.name)
          const known = old && { ...old, allocatable: undefined }
          if (known && !semanticEqual({ ...driver, allocatable: undefined }, known)) {
            errors.invalid(`spec.drivers[${i}]`, driver, 'field is immutable')
          }
        })
      }),
  },
})

function checkDrivers(errors: FieldErrors, { spec }: CSINode): void {
  const seen = new Set<string>()
  spec?.drivers?.forEach((driver, i) => {
    const field = `spec.drivers[${i}]`
    if (!driver.name) errors.required(`${field}.name`)
    else errors.invalidEach(`${field}.name`, driver.name, checkSubdomainName(driver.name.toLowerCase()))
    if (seen.has(driver.name)) errors.duplicate(`${field}.name`, driver.name)
    seen.add(driver.name)
    if (!driver.nodeID) errors.required(`${field}.nodeID`)
    for (const key of driver.topologyKeys ?? []) errors.invalidEach(field, key, checkQualifiedName(key))
    errors.nonNegative(`${field}.allocatable.count`, driver.allocatable?.count)
  })
}
