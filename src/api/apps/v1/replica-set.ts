import type { ReplicaSet } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkWorkload } from '../../validation/pod-template.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { workloadColumns } from './workload.ts'

const columns: readonly Column<ReplicaSet>[] = [
  { name: 'Desired', type: 'integer', description: 'Number of pods that there shall be.', value: ({ spec }) => spec?.replicas ?? 0 },
  { name: 'Current', type: 'integer', description: 'Number of pods that there are.', value: ({ status }) => status?.replicas ?? 0 },
  { name: 'Ready', type: 'integer', description: 'Number of pods that are ready.', value: ({ status }) => status?.readyReplicas ?? 0 },
  ...workloadColumns<ReplicaSet>(),
]

const strategy: Strategy<ReplicaSet> = {
  setDefaults: ({ spec }) => setTemplateDefaults(spec?.template),
  prepareForCreate(replicaSet) {
    replicaSet.status = { replicas: 0 }
  },
  validate: ({ spec }) =>
    collectErrors((errors) => {
      errors.nonNegative('spec.replicas', spec?.replicas)
      errors.nonNegative('spec.minReadySeconds', spec?.minReadySeconds)
      checkWorkload(errors, 'spec', spec ?? {}, { kind: 'ReplicaSet' })
    }),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => errors.immutable('spec.selector', next.spec?.selector, previous.spec?.selector)),
  warnings: (replicaSet) => podSpecWarnings(replicaSet.spec?.template?.spec, 'spec.template.spec'),
}

export const replicaSets: KindDefinition<ReplicaSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
  shortNames: ['rs'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.ReplicaSet',
  status: true,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', selectorPath: '.spec.selector' },
  columns,
  fieldSelectors: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
  strategy,
})
