import type { LabelSelector, LabelSelectorRequirement } from '../generated/types.ts'
import { checkLabelValue, checkQualifiedName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'

type Labels = Readonly<Record<string, string>>

const NEEDS_VALUES = "must be specified when `operator` is 'In' or 'NotIn'"
const NO_VALUES = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"

/** A key of a label; empty is wrong too. */
export function checkLabelKey(errors: FieldErrors, field: string, key: string): void {
  errors.invalidEach(field, key, checkQualifiedName(key))
}

export function checkLabels(errors: FieldErrors, field: string, labels: Labels | undefined): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    checkLabelKey(errors, field, key)
    errors.invalidEach(field, value, checkLabelValue(value))
  }
}

/** Operators, keys and values of a selector. Source: k8s.io/apimachinery metav1/validation.ValidateLabelSelector. */
export function checkLabelSelector(errors: FieldErrors, field: string, selector: LabelSelector | undefined): void {
  if (!selector) return
  checkLabels(errors, `${field}.matchLabels`, selector.matchLabels)
  selector.matchExpressions?.forEach((expression, i) => {
    checkExpression(errors, `${field}.matchExpressions[${i}]`, expression)
  })
}

/** Whether a selector selects everything. */
export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) === 0
}

function checkExpression(errors: FieldErrors, field: string, expression: LabelSelectorRequirement): void {
  const values = expression.values ?? []
  switch (expression.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.required(`${field}.values`, NEEDS_VALUES)
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) errors.forbidden(`${field}.values`, NO_VALUES)
      break
    default:
      errors.invalid(`${field}.operator`, expression.operator, 'not a valid selector operator')
  }
  checkLabelKey(errors, `${field}.key`, expression.key ?? '')
  values.forEach((value, i) => errors.invalidEach(`${field}.values[${i}]`, value, checkLabelValue(value)))
}
