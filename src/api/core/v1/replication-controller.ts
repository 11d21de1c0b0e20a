import type { ReplicationController, ReplicationControllerSpec } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { containerColumns, formatLabels } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkPodTemplate } from '../../validation/pod-template.ts'
import { setTemplateDefaults } from './pod-defaults.ts'

const columns: readonly Column<ReplicationController>[] = [
  { name: 'Desired', type: 'integer', description: 'Number of pods that there shall be.', value: ({ spec }) => spec?.replicas ?? 0 },
  { name: 'Current', type: 'integer', description: 'Number of pods that there are.', value: ({ status }) => status?.replicas ?? 0 },
  { name: 'Ready', type: 'integer', description: 'Number of pods that are ready.', value: ({ status }) => status?.readyReplicas ?? 0 },
  ...containerColumns<ReplicationController>(({ spec }) => spec?.template?.spec),
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'Labels by which it finds its pods.',
    value: ({ spec }) => formatLabels(spec?.selector),
  },
]

const strategy: Strategy<ReplicationController> = {
  setDefaults(controller) {
    const { spec } = controller
    if (!spec) return
    const labels = spec.template?.metadata?.labels
    if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
    if (labels && Object.keys(controller.metadata.labels ?? {}).length === 0) controller.metadata.labels = { ...labels }
    setTemplateDefaults(spec.template)
  },
  prepareForCreate(controller) {
    controller.status = { replicas: 0 }
  },
  validate: (controller) => collectErrors((errors) => checkController(errors, controller.spec ?? {})),
}

export const replicationControllers: KindDefinition<ReplicationController> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  schema: 'io.k8s.api.core.v1.ReplicationController',
  status: true,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', selectorPath: '.spec.selector' },
  columns,
  fieldSelectors: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
  strategy,
})

function checkController(errors: FieldErrors, spec: ReplicationControllerSpec): void {
  errors.nonNegative('spec.minReadySeconds', spec.minReadySeconds)
  errors.nonNegative('spec.replicas', spec.replicas)
  const selector = Object.entries(spec.selector ?? {})
  if (selector.length === 0) errors.required('spec.selector')
  const { template } = spec
  if (!template) return errors.required('spec.template')
  const labels = template.metadata?.labels ?? {}
  if (selector.some(([key, value]) => labels[key] !== value)) {
    errors.invalid('spec.template.metadata.labels', template.metadata?.labels, '`selector` does not match template `labels`')
  }
  checkPodTemplate(errors, 'spec.template', template)
  errors.oneOf('spec.template.spec.restartPolicy', template.spec?.restartPolicy, ['Always'])
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const text = 'activeDeadlineSeconds in ReplicationController is not Supported'
    errors.forbidden('spec.template.spec.activeDeadlineSeconds', text)
  }
}
