import type { DaemonSet, DaemonSetSpec } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { formatLabels } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkWorkload } from '../../validation/pod-template.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'
import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import { checkShare, isZero, workloadColumns } from './workload.ts'

const columns: readonly Column<DaemonSet>[] = [
  {
    name: 'Desired',
    type: 'integer',
    description: 'Nodes that shall run the pod.',
    value: ({ status }) => status?.desiredNumberScheduled ?? 0,
  },
  {
    name: 'Current',
    type: 'integer',
    description: 'Nodes that have the pod and shall.',
    value: ({ status }) => status?.currentNumberScheduled ?? 0,
  },
  { name: 'Ready', type: 'integer', description: 'Nodes whose pod is ready.', value: ({ status }) => status?.numberReady ?? 0 },
  {
    name: 'Up-to-date',
    type: 'integer',
    description: 'Nodes whose pod has the desired template.',
    value: ({ status }) => status?.updatedNumberScheduled ?? 0,
  },
  {
    name: 'Available',
    type: 'integer',
    description: 'Nodes whose pod has been ready for at least minReadySeconds.',
    value: ({ status }) => status?.numberAvailable ?? 0,
  },
  {
    name: 'Node Selector',
    type: 'string',
    description: 'Labels of the nodes that run the pod.',
    value: ({ spec }) => formatLabels(spec?.template?.spec?.nodeSelector),
  },
  ...workloadColumns<DaemonSet>(),
]

const strategy: Strategy<DaemonSet> = {
  setDefaults: ({ spec }) => setTemplateDefaults(spec?.template),
  prepareForCreate(daemonSet) {
    daemonSet.status = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 }
  },
  validate: (daemonSet) => collectErrors((errors) => checkDaemonSet(errors, daemonSet.spec ?? EMPTY)),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => errors.immutable('spec.selector', next.spec?.selector, previous.spec?.selector)),
  warnings: (daemonSet) => podSpecWarnings(daemonSet.spec?.template?.spec, 'spec.template.spec'),
}

export const daemonSets: KindDefinition<DaemonSet> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  namespaced: true,
  shortNames: ['ds'],
  categories: ['all'],
  schema: 'io.k8s.api.apps.v1.DaemonSet',
  status: true,
  columns,
  strategy,
})

const EMPTY = {} as DaemonSetSpec

function checkDaemonSet(errors: FieldErrors, spec: DaemonSetSpec): void {
  checkWorkload(errors, 'spec', spec, { kind: 'DaemonSet' })
  errors.nonNegative('spec.minReadySeconds', spec.minReadySeconds)
  errors.nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit)
  if (spec.updateStrategy?.type !== 'RollingUpdate') return
  const field = 'spec.updateStrategy.rollingUpdate'
  const { maxUnavailable, maxSurge } = spec.updateStrategy.rollingUpdate ?? {}
  checkShare(errors, `${field}.maxUnavailable`, maxUnavailable)
  checkShare(errors, `${field}.maxSurge`, maxSurge)
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    errors.invalid(`${field}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')
  } else if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.required(`${field}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')
  }
}
