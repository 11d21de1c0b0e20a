import type { LabelSelector, PodSpec, PodTemplateSpec } from '../../generated/types.ts'
import type { Column } from '../../kind.ts'
import { percentOf } from '../../meta/int-or-string.ts'
import type { IntOrString } from '../../meta/int-or-string.ts'
import { containerColumns, formatLabelSelector } from '../../print/columns.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkPercent } from '../../validation/names.ts'

// What the kinds of this group share; the rules of selectors and templates are in validation/pod-template.ts.

interface Workload {
  readonly spec?: { readonly template?: PodTemplateSpec | undefined; readonly selector?: LabelSelector | undefined } | undefined
}

/** Containers, Images and Selector, shown with `-o wide`. */
export function workloadColumns<T extends Workload>(): Column<T>[] {
  return [
    ...containerColumns<T>((workload): PodSpec | undefined => workload.spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: 'Labels by which it finds its pods.',
      value: (workload) => formatLabelSelector(workload.spec?.selector),
    },
  ]
}

/** A count or a percentage, not negative; absent is fine. */
export function checkCountOrPercent(errors: FieldErrors, field: string, value: IntOrString | undefined): void {
  if (typeof value === 'string') errors.invalidEach(field, value, checkPercent(value))
  else errors.nonNegative(field, value)
}

/** As checkCountOrPercent, and no more than all. */
export function checkShare(errors: FieldErrors, field: string, value: IntOrString | undefined): void {
  checkCountOrPercent(errors, field, value)
  if (value !== undefined && (percentOf(value) ?? 0) > 100) errors.invalid(field, value, 'must not be greater than 100%')
}

/** Whether the value is zero, as a count or as a percentage. */
export function isZero(value: IntOrString | undefined): boolean {
  return value === undefined || value === 0 || percentOf(value) === 0
}
