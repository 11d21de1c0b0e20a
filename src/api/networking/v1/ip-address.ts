import type { IPAddress, ParentReference } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkLabelName, checkPathSegmentName, checkSubdomainName } from '../../meta/names.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

export const ipAddresses: KindDefinition<IPAddress> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  namespaced: false,
  shortNames: ['ip'],
  schema: 'io.k8s.api.networking.v1.IPAddress',
  nameRule: 'ip',
  columns: [{ name: 'ParentRef', type: 'string', description: 'What the address belongs to.', value: parentCell }],
  strategy: {
    validate: ({ spec }) =>
      collectErrors((errors) => (spec?.parentRef ? checkParent(errors, spec.parentRef) : errors.required('spec.parentRef'))),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => errors.immutable('spec.parentRef', next.spec?.parentRef, previous.spec?.parentRef)),
  },
})

function parentCell({ spec }: IPAddress): string {
  const parent = spec?.parentRef
  if (!parent) return '<none>'
  const resource = parent.group ? `${parent.resource}.${parent.group}` : parent.resource
  return [resource, parent.namespace, parent.name].filter(Boolean).join('/')
}

function checkParent(errors: FieldErrors, parent: ParentReference): void {
  const field = 'spec.parentRef'
  if (parent.group) errors.invalidEach(`${field}.group`, parent.group, checkSubdomainName(parent.group))
  for (const key of ['resource', 'name'] as const) {
    if (!parent[key]) errors.required(`${field}.${key}`)
    else errors.invalidEach(`${field}.${key}`, parent[key], checkPathSegmentName(parent[key]))
  }
  if (parent.namespace) errors.invalidEach(`${field}.namespace`, parent.namespace, checkLabelName(parent.namespace))
}
