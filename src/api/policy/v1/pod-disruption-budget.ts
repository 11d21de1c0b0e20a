import { checkShare } from '../../apps/v1/workload.ts'
import type { PodDisruptionBudget } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'

export const podDisruptionBudgets: KindDefinition<PodDisruptionBudget> = defineKind({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  namespaced: true,
  shortNames: ['pdb'],
  schema: 'io.k8s.api.policy.v1.PodDisruptionBudget',
  status: true,
  columns: [
    {
      name: 'Min Available',
      type: 'string',
      description: 'The minimum number of pods that must be available.',
      value: ({ spec }) => String(spec?.minAvailable ?? 'N/A'),
    },
    {
      name: 'Max Unavailable',
      type: 'string',
      description: 'The maximum number of pods that may be unavailable.',
      value: ({ spec }) => String(spec?.maxUnavailable ?? 'N/A'),
    },
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'Calculated number of pods that may be disrupted at this time.',
      value: ({ status }) => status?.disruptionsAllowed ?? 0,
    },
  ],
  strategy: {
    allowUnconditionalUpdate: false,
    prepareForCreate(budget) {
      budget.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }
    },
    validate: ({ spec }) =>
      collectErrors((errors) => {
        if (spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
          errors.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')
        }
        checkShare(errors, 'spec.minAvailable', spec?.minAvailable)
        checkShare(errors, 'spec.maxUnavailable', spec?.maxUnavailable)
        checkLabelSelector(errors, 'spec.selector', spec?.selector)
      }),
  },
})
