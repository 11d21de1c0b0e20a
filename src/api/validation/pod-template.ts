import type { LabelSelector, PodTemplateSpec } from '../generated/types.ts'
import { labelSelectorMatcher } from '../meta/selector.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabelSelector, isEmptySelector } from './labels.ts'
import { checkTemplateMeta } from './object-meta.ts'
import { checkPodSpec } from './pod-spec.ts'

/** A template of pods. Source: k8s.io/kubernetes core/validation.ValidatePodTemplateSpec. */
export function checkPodTemplate(errors: FieldErrors, field: string, template: PodTemplateSpec): void {
  checkTemplateMeta(errors, field, template.metadata)
  const spec = template.spec ?? { containers: [] }
  checkPodSpec(errors, `${field}.spec`, spec)
  if (spec.ephemeralContainers?.length) {
    errors.forbidden(`${field}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')
  }
}

export interface WorkloadParts {
  readonly selector?: LabelSelector | undefined
  readonly template?: PodTemplateSpec | undefined
}

/**
 * What Deployment, ReplicaSet, StatefulSet and DaemonSet have in common: a selector that is there, is not empty and matches the
 * template, and pods that are always restarted.
 * @param options.kind for the text that refuses activeDeadlineSeconds
 */
export function checkWorkload(errors: FieldErrors, field: string, parts: WorkloadParts, options: { readonly kind: string }): void {
  checkWorkloadSelector(errors, `${field}.selector`, parts.selector, options)
  const { template } = parts
  if (!template) return errors.required(`${field}.template`)
  if (!isEmptySelector(parts.selector) && !matches(parts.selector!, template.metadata?.labels)) {
    const text = '`selector` does not match template `labels`'
    errors.invalid(`${field}.template.metadata.labels`, template.metadata?.labels, text)
  }
  checkPodTemplate(errors, `${field}.template`, template)
  errors.oneOf(`${field}.template.spec.restartPolicy`, template.spec?.restartPolicy, ['Always'])
  if (template.spec?.activeDeadlineSeconds !== undefined) {
    const text = `activeDeadlineSeconds in ${options.kind} is not Supported`
    errors.forbidden(`${field}.template.spec.activeDeadlineSeconds`, text)
  }
}

function checkWorkloadSelector(
  errors: FieldErrors,
  field: string,
  selector: LabelSelector | undefined,
  options: { readonly kind: string },
): void {
  if (!selector) return errors.required(field)
  checkLabelSelector(errors, field, selector)
  if (isEmptySelector(selector)) errors.invalid(field, selector, EMPTY_SELECTOR[options.kind] ?? 'empty selector is invalid')
}

const EMPTY_SELECTOR: Readonly<Record<string, string>> = {
  Deployment: 'empty selector is invalid for deployment',
  ReplicaSet: 'empty selector is invalid for deployment',
  StatefulSet: 'empty selector is invalid for statefulset',
  DaemonSet: 'empty selector is invalid for daemonset',
}

function matches(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  try {
    return labelSelectorMatcher(selector)(labels)
  } catch {
    // an unknown operator, which has been reported
    return true
  }
}
