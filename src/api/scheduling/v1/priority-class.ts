import type { PriorityClass } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { ageColumn, nameColumn } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

/** Above this are only the classes that come with Kubernetes. */
const MAX_USER_PRIORITY = 1_000_000_000
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

export const priorityClasses: KindDefinition<PriorityClass> = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  namespaced: false,
  shortNames: ['pc'],
  schema: 'io.k8s.api.scheduling.v1.PriorityClass',
  ownColumns: true,
  columns: [
    nameColumn,
    { name: 'Value', type: 'integer', description: 'Priority of its pods.', value: ({ value }) => value ?? 0 },
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether pods without a class get it.',
      value: ({ globalDefault }) => globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      description: 'Whether its pods may push others out.',
      value: ({ preemptionPolicy }) => preemptionPolicy ?? '',
    },
  ],
  strategy: {
    allowCreateOnUpdate: true,
    validate: (priorityClass) => collectErrors((errors) => checkClass(errors, priorityClass)),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        if ((next.value ?? 0) !== (previous.value ?? 0)) errors.forbidden('value', 'may not be changed in an update.')
        errors.immutable('preemptionPolicy', next.preemptionPolicy, previous.preemptionPolicy)
      }),
  },
})

function checkClass(errors: FieldErrors, { metadata, value = 0 }: PriorityClass): void {
  const name = metadata.name ?? ''
  const known = Object.hasOwn(SYSTEM_CLASSES, name) ? SYSTEM_CLASSES[name] : undefined
  if (name.startsWith('system-')) {
    const why = known === undefined ? `${name} is not a known system priority class` : `value of ${name} PriorityClass must be ${known}`
    if (known !== value) {
      const text = `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`
      errors.forbidden('metadata.name', text)
    }
  } else if (value > MAX_USER_PRIORITY) {
    errors.forbidden('value', `maximum allowed value of a user defined priority is ${MAX_USER_PRIORITY}`)
  }
}
