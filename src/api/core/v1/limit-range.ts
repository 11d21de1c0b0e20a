import type { LimitRange, LimitRangeItem } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { checkQualifiedName } from '../../meta/names.ts'
import { nameColumn } from '../../print/columns.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { compareIfQuantities, isOvercommitAllowed, quantityNanos } from '../../validation/quantities.ts'
import { checkContainerResourceName, checkResourceName, shownQuantity } from '../../validation/resources.ts'

const TYPES = ['Pod', 'Container', 'PersistentVolumeClaim']
const LISTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const

export const limitRanges: KindDefinition<LimitRange> = defineKind<LimitRange>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  namespaced: true,
  shortNames: ['limits'],
  schema: 'io.k8s.api.core.v1.LimitRange',
  ownColumns: true,
  columns: [
    nameColumn,
    {
      name: 'Created At',
      type: 'date',
      description: 'When the object was created.',
      value: ({ metadata }) => metadata.creationTimestamp ?? null,
    },
  ],
  strategy: {
    allowCreateOnUpdate: true,
    validate: ({ spec }) =>
      collectErrors((errors) => {
        const seen = new Set<string>()
        spec?.limits?.forEach((limit, i) => {
          const field = `spec.limits[${i}]`
          checkType(errors, `${field}.type`, limit.type ?? '')
          if (seen.has(limit.type)) errors.duplicate(`${field}.type`, limit.type)
          seen.add(limit.type)
          checkLimit(errors, field, limit)
        })
      }),
  },
})

function checkType(errors: FieldErrors, field: string, type: string): void {
  const problems = checkQualifiedName(type)
  errors.invalidEach(field, type, problems)
  if (problems.length === 0 && !type.includes('/') && !TYPES.includes(type)) {
    errors.invalid(field, type, 'must be a standard limit type or fully qualified')
  }
}

function checkLimit(errors: FieldErrors, field: string, limit: LimitRangeItem): void {
  const names = new Set<string>()
  for (const list of LISTS) {
    const entries = Object.keys(limit[list] ?? {})
    if (limit.type === 'Pod' && entries.length > 0 && (list === 'default' || list === 'defaultRequest')) {
      errors.forbidden(`${field}.${list}`, "may not be specified when `type` is 'Pod'")
      continue
    }
    for (const name of entries) {
      const check = limit.type === 'Pod' || limit.type === 'Container' ? checkContainerResourceName : checkResourceName
      check(errors, `${field}.${list}[${name}]`, name)
      names.add(name)
    }
  }
  if (limit.type === 'PersistentVolumeClaim' && limit.min?.storage === undefined && limit.max?.storage === undefined) {
    errors.required(`${field}.limits`, 'either minimum or maximum storage value is required, but neither was provided')
  }
  for (const name of names) checkAmounts(errors, field, limit, name)
}

function checkAmounts(errors: FieldErrors, field: string, limit: LimitRangeItem, name: string): void {
  const [min, max, preset, request] = [limit.min?.[name], limit.max?.[name], limit.default?.[name], limit.defaultRequest?.[name]]
  const above = (a: string | undefined, b: string | undefined): boolean => (compareIfQuantities(a, b) ?? 0) > 0
  const fail = (list: string, value: string | undefined, text: string): void => errors.invalid(`${field}.${list}[${name}]`, value, text)
  const show = (text: string | undefined): string => shownQuantity(text ?? '')
  if (above(min, max)) fail('min', min, `min value ${show(min)} is greater than max value ${show(max)}`)
  if (above(min, request)) fail('defaultRequest', request, `min value ${show(min)} is greater than default request value ${show(request)}`)
  if (above(request, max)) fail('defaultRequest', request, `default request value ${show(request)} is greater than max value ${show(max)}`)
  if (above(request, preset)) {
    fail('defaultRequest', request, `default request value ${show(request)} is greater than default limit value ${show(preset)}`)
  }
  if (above(min, preset)) fail('default', min, `min value ${show(min)} is greater than default value ${show(preset)}`)
  if (above(preset, max)) fail('default', max, `default value ${show(preset)} is greater than max value ${show(max)}`)
  const ratio = limit.maxLimitRequestRatio?.[name]
  if (above('1', ratio)) fail('maxLimitRequestRatio', ratio, `ratio ${show(ratio)} is less than 1`)
  checkRatio(errors, `${field}.maxLimitRequestRatio[${name}]`, { ratio, min, max })
  if (!isOvercommitAllowed(name) && preset !== undefined && request !== undefined && compareIfQuantities(preset, request) !== 0) {
    fail('defaultRequest', request, `default value ${show(preset)} must equal to defaultRequest value ${show(request)} in ${name}`)
  }
}

function checkRatio(
  errors: FieldErrors,
  field: string,
  amounts: { readonly ratio: string | undefined; readonly min: string | undefined; readonly max: string | undefined },
): void {
  const [ratio, min, max] = [quantityNanos(amounts.ratio), quantityNanos(amounts.min), quantityNanos(amounts.max)]
  if (ratio === undefined || max === undefined || !min) return
  const most = Number(max) / Number(min)
  if (Number(ratio) / 1e9 <= most) return
  errors.invalid(field, amounts.ratio, `ratio ${shownQuantity(amounts.ratio!)} is greater than max/min = ${most.toFixed(6)}`)
}
