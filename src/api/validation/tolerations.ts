import type { Taint, Toleration } from '../generated/types.ts'
import { checkLabelValue } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabelKey } from './labels.ts'

export function checkTolerations(errors: FieldErrors, field: string, tolerations: readonly Toleration[] | undefined): void {
  tolerations?.forEach((toleration, i) => checkToleration(errors, `${field}[${i}]`, toleration))
}

/** Taints of a node: valid, and one for each pair of key and effect. */
export function checkTaints(errors: FieldErrors, field: string, taints: readonly Taint[] | undefined): void {
  const seen = new Set<string>()
  taints?.forEach((taint, i) => {
    const path = `${field}[${i}]`
    checkLabelKey(errors, `${path}.key`, taint.key ?? '')
    const problems = checkLabelValue(taint.value ?? '')
    if (problems.length > 0) errors.invalid(`${path}.value`, taint.value, problems.join(';'))
    if (!taint.effect) errors.required(`${path}.effect`)
    const key = `${taint.effect} ${taint.key}`
    if (seen.has(key)) errors.duplicate(path, taint, 'taints must be unique by key and effect pair')
    seen.add(key)
  })
}

function checkToleration(errors: FieldErrors, field: string, toleration: Toleration): void {
  const { key, operator, value, effect } = toleration
  if (key) checkLabelKey(errors, `${field}.key`, key)
  else if (operator !== 'Exists') {
    const text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
    errors.invalid(`${field}.operator`, operator ?? '', text)
  }
  if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.invalid(`${field}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set")
  }
  if (!operator || operator === 'Equal') {
    const problems = checkLabelValue(value ?? '')
    if (problems.length > 0) errors.invalid(`${field}.operator`, value, problems.join(';'))
  } else if (operator === 'Exists') {
    if (value) errors.invalid(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'")
  } else if (operator === 'Lt' || operator === 'Gt') {
    // the schema knows these two; upstream takes them behind a gate that is off
    errors.notSupported(`${field}.operator`, operator, ['Equal', 'Exists'])
  }
}
