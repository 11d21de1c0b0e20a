import type { Job, JobSpec, PodFailurePolicyRule } from '../generated/types.ts'
import { labelSelectorMatcher } from '../meta/selector.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabelSelector } from './labels.ts'
import { checkPodTemplate } from './pod-template.ts'
import { semanticEqual } from './semantic-equal.ts'

const COUNTS = [
  'parallelism',
  'completions',
  'activeDeadlineSeconds',
  'backoffLimit',
  'ttlSecondsAfterFinished',
  'backoffLimitPerIndex',
  'maxFailedIndexes',
] as const
const MAX_INDEXED_PARALLELISM = 100_000
const FIXED = ['selector', 'completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const

/** What holds for a Job and for the template of one. Source: k8s.io/kubernetes batch/validation.validateJobSpec. */
export function checkJobTemplate(errors: FieldErrors, field: string, spec: JobSpec): void {
  for (const key of COUNTS) errors.nonNegative(`${field}.${key}`, spec[key])
  checkIndexed(errors, field, spec)
  if (!spec.template) return errors.required(`${field}.template`)
  checkPodTemplate(errors, `${field}.template`, spec.template)
  checkRestartPolicy(errors, `${field}.template.spec.restartPolicy`, spec)
  spec.podFailurePolicy?.rules?.forEach((rule, i) => checkFailureRule(errors, `${field}.podFailurePolicy.rules[${i}]`, rule))
}

/** Source: k8s.io/kubernetes batch/validation.ValidateJob. */
export function checkJob(errors: FieldErrors, spec: JobSpec): void {
  checkJobTemplate(errors, 'spec', spec)
  if (!spec.selector) return errors.required('spec.selector')
  checkLabelSelector(errors, 'spec.selector', spec.selector)
  const labels = spec.template?.metadata?.labels
  if (!matches(spec, labels)) errors.invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')
}

/** A Job's pods are fixed once it exists, but for a suspended one that has not started. */
export function checkJobUpdate(errors: FieldErrors, next: Job, previous: Job): void {
  const [spec, old] = [next.spec ?? ({} as JobSpec), previous.spec ?? ({} as JobSpec)]
  checkCompletions(errors, spec, old)
  for (const key of FIXED) errors.immutable(`spec.${key}`, spec[key], old[key])
  const mayMove = old.suspend === true && previous.status?.startTime === undefined
  const [template, oldTemplate] = mayMove ? [unplaced(spec), unplaced(old)] : [spec.template, old.template]
  if (!semanticEqual(template, oldTemplate)) errors.invalid('spec.template', spec.template, 'field is immutable')
}

function checkIndexed(errors: FieldErrors, field: string, spec: JobSpec): void {
  if (spec.completionMode !== 'Indexed') {
    for (const key of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      if (spec[key] !== undefined) errors.invalid(`${field}.${key}`, spec[key], 'requires indexed completion mode')
    }
    return
  }
  if (spec.completions === undefined) errors.required(`${field}.completions`, 'when completion mode is Indexed')
  if ((spec.parallelism ?? 0) > MAX_INDEXED_PARALLELISM) {
    const text = `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`
    errors.invalid(`${field}.parallelism`, spec.parallelism, text)
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.required(`${field}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')
  }
}

function checkRestartPolicy(errors: FieldErrors, field: string, spec: JobSpec): void {
  const policy = spec.template.spec?.restartPolicy
  // Always is what a template without a word gets
  if (!policy || policy === 'Always') return errors.required(field, 'valid values: "OnFailure", "Never"')
  if (policy !== 'OnFailure' && policy !== 'Never') return errors.notSupported(field, policy, ['OnFailure', 'Never'])
  if (spec.podFailurePolicy && policy !== 'Never') {
    errors.invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified')
  }
}

function checkFailureRule(errors: FieldErrors, field: string, rule: PodFailurePolicyRule): void {
  const { onExitCodes, onPodConditions = [] } = rule
  if (onExitCodes && onPodConditions.length > 0) {
    errors.invalid(field, field, 'specifying both OnExitCodes and OnPodConditions is not supported')
  } else if (!onExitCodes && onPodConditions.length === 0) {
    errors.invalid(field, field, 'specifying one of OnExitCodes and OnPodConditions is required')
  }
  if (!onExitCodes) return
  const values = onExitCodes.values ?? []
  if (values.length === 0) errors.invalid(`${field}.onExitCodes.values`, values, 'at least one value is required')
  else if (values.length > 255) errors.tooMany(`${field}.onExitCodes.values`, values.length, 255)
  if (onExitCodes.operator === 'In' && values.includes(0)) {
    errors.invalid(`${field}.onExitCodes.values[${values.indexOf(0)}]`, 0, 'must not be 0 for the In operator')
  }
}

function checkCompletions(errors: FieldErrors, spec: JobSpec, old: JobSpec): void {
  if (spec.completions === old.completions) return
  if (old.completionMode !== 'Indexed') return errors.invalid('spec.completions', spec.completions, 'field is immutable')
  const inTandem = spec.completions !== undefined && spec.completions === spec.parallelism && old.completions === old.parallelism
  if (!inTandem) errors.invalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism')
}

/** The template without what says where its pods run. */
function unplaced({ template }: JobSpec): unknown {
  const { labels: _labels, annotations: _annotations, ...metadata } = template?.metadata ?? {}
  const {
    nodeSelector: _selector,
    affinity,
    tolerations: _tolerations,
    schedulingGates: _gates,
    ...spec
  } = template?.spec ?? { containers: [] }
  return { metadata, spec: { ...spec, affinity: affinity && { ...affinity, nodeAffinity: undefined } } }
}

function matches(spec: JobSpec, labels: Readonly<Record<string, string>> | undefined): boolean {
  try {
    return labelSelectorMatcher(spec.selector)(labels)
  } catch {
    // an unknown operator, which has been reported
    return true
  }
}
