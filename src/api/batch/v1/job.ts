import { isConditionTrue } from '../../conditions.ts'
import { setTemplateDefaults } from '../../core/v1/pod-defaults.ts'
import type { Job } from '../../generated/types.ts'
import { defineKind, type Column, type KindDefinition, type Strategy } from '../../kind.ts'
import { containerColumns, formatLabelSelector } from '../../print/columns.ts'
import { humanDuration } from '../../print/human-duration.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkJob, checkJobUpdate } from '../../validation/job.ts'
import { podSpecWarnings } from '../../validation/pod-warnings.ts'

const columns: readonly Column<Job>[] = [
  { name: 'Status', type: 'string', description: 'Status of the job.', value: statusCell },
  { name: 'Completions', type: 'string', description: 'Pods that succeeded, of those that have to.', value: completionsCell },
  { name: 'Duration', type: 'string', description: 'Time required to complete the job.', value: durationCell },
  ...containerColumns<Job>(({ spec }) => spec?.template?.spec),
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'Labels by which it finds its pods.',
    value: ({ spec }) => formatLabelSelector(spec?.selector),
  },
]

const strategy: Strategy<Job> = {
  setDefaults(job) {
    const { spec } = job
    if (!spec) return
    const labels = spec.template?.metadata?.labels
    if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels }
    spec.manualSelector ??= false
    setTemplateDefaults(spec.template)
  },
  prepareForCreate(job, { uid }) {
    job.status = {}
    if (!job.spec?.manualSelector) generateSelector(job, uid())
  },
  validate: ({ spec }) => collectErrors((errors) => (spec ? checkJob(errors, spec) : errors.required('spec.template'))),
  validateUpdate: (next, previous, { subresource }) =>
    collectErrors((errors) => {
      if (subresource === '') checkJobUpdate(errors, next, previous)
    }),
  warnings: ({ spec }) => podSpecWarnings(spec?.template?.spec, 'spec.template.spec'),
}

export const jobs: KindDefinition<Job> = defineKind({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  namespaced: true,
  categories: ['all'],
  schema: 'io.k8s.api.batch.v1.Job',
  status: true,
  columns,
  fieldSelectors: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
  strategy,
})

/** Labels that no other job's pods have. Source: k8s.io/kubernetes pkg/registry/batch/job generateSelector. */
function generateSelector(job: Job, uid: string): void {
  const { spec } = job
  if (!spec?.template) return
  const { name } = job.metadata
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: {
      ...spec.template.metadata?.labels,
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': name,
      'controller-uid': uid,
      'job-name': name,
    },
  }
  const matchLabels = { ...spec.selector?.matchLabels, 'batch.kubernetes.io/controller-uid': uid }
  spec.selector = { ...spec.selector, matchLabels }
}

function statusCell({ metadata, status }: Job): string {
  const is = (type: string): boolean => isConditionTrue(status?.conditions, type)
  if (is('Complete')) return 'Complete'
  if (is('Failed')) return 'Failed'
  if (metadata.deletionTimestamp) return 'Terminating'
  if (is('Suspended')) return 'Suspended'
  return is('FailureTarget') ? 'FailureTarget' : 'Running'
}

function completionsCell({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`
  const parallelism = spec?.parallelism ?? 0
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`
}

function durationCell({ status }: Job, nowMs: number): string {
  if (!status?.startTime) return ''
  const endMs = status.completionTime ? Date.parse(status.completionTime) : nowMs
  return humanDuration(endMs - Date.parse(status.startTime))
}
