import type { ServiceCIDR } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkCidr, isDualStack } from '../../validation/ip.ts'

export const serviceCIDRs: KindDefinition<ServiceCIDR> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
  status: true,
  columns: [
    {
      name: 'CIDRs',
      type: 'string',
      description: 'Ranges that services get addresses from.',
      value: ({ spec }) => (spec?.cidrs ?? []).join(','),
    },
  ],
  strategy: {
    validate: ({ spec }) => collectErrors((errors) => checkRanges(errors, spec?.cidrs ?? [])),
    validateUpdate: (next, previous) =>
      collectErrors((errors) => {
        const before = previous.spec?.cidrs ?? []
        before.forEach((cidr, i) => errors.immutable(`spec.cidrs[${i}]`, next.spec?.cidrs?.[i], cidr))
      }),
  },
})

function checkRanges(errors: FieldErrors, cidrs: readonly string[]): void {
  const field = 'spec.cidrs'
  if (cidrs.length === 0) return errors.required(field, 'at least one CIDR required')
  cidrs.forEach((cidr, i) => checkCidr(errors, `${field}[${i}]`, cidr))
  if (cidrs.length > 2) errors.invalid(field, cidrs, 'may only hold up to 2 values')
  else if (cidrs.length === 2 && !isDualStack(cidrs))
    errors.invalid(field, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96')
}
