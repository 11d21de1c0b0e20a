import type { Lease } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { collectErrors } from '../../validation/field-errors.ts'

export const leases: KindDefinition<Lease> = defineKind({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  schema: 'io.k8s.api.coordination.v1.Lease',
  columns: [{ name: 'Holder', type: 'string', description: 'Who holds the lease.', value: ({ spec }) => spec?.holderIdentity ?? '' }],
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate: ({ spec }) =>
      collectErrors((errors) => {
        const seconds = spec?.leaseDurationSeconds
        if (seconds !== undefined && seconds <= 0) errors.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0')
        errors.nonNegative('spec.leaseTransitions', spec?.leaseTransitions)
      }),
  },
})
