import type { ResourceQuota, ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../../generated/types.ts'
import { defineKind, type KindDefinition, type Strategy } from '../../kind.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkResourceQuantity } from '../../validation/quantities.ts'
import { checkQuotaResourceName } from '../../validation/resources.ts'
import { semanticEqual } from '../../validation/semantic-equal.ts'

/** Scopes that pods either have or not. */
const PLAIN_SCOPES = new Set(['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'CrossNamespacePodAffinity'])
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const
const ONLY_EXISTS =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

const strategy: Strategy<ResourceQuota> = {
  prepareForCreate(quota) {
    quota.status = {}
  },
  validate: ({ spec }) => collectErrors((errors) => checkQuota(errors, spec ?? {})),
  validateUpdate: (next, previous) =>
    collectErrors((errors) => {
      const scopes = (quota: ResourceQuota): readonly string[] => [...new Set(quota.spec?.scopes)].toSorted()
      if (!semanticEqual(scopes(next), scopes(previous))) errors.invalid('spec.scopes', next.spec?.scopes, 'field is immutable')
    }),
}

export const resourceQuotas: KindDefinition<ResourceQuota> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
  shortNames: ['quota'],
  schema: 'io.k8s.api.core.v1.ResourceQuota',
  status: true,
  columns: [
    {
      name: 'Request',
      type: 'string',
      description: 'Used and allowed amounts of what is counted or requested.',
      value: (quota) => usageCell(quota, (name) => !name.startsWith('limits.')),
    },
    {
      name: 'Limit',
      type: 'string',
      description: 'Used and allowed amounts of limits.',
      value: (quota) => usageCell(quota, (name) => name.startsWith('limits.')),
    },
  ],
  strategy,
})

function usageCell({ status }: ResourceQuota, wanted: (name: string) => boolean): string {
  const names = Object.keys(status?.hard ?? {})
    .filter(wanted)
    .toSorted()
  return names.map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${status?.hard?.[name]}`).join(', ')
}

function checkQuota(errors: FieldErrors, spec: ResourceQuotaSpec): void {
  for (const [name, text] of Object.entries(spec.hard ?? {})) {
    checkQuotaResourceName(errors, `spec.hard[${name}]`, name)
    checkResourceQuantity(errors, `spec.hard[${name}]`, name, text)
  }
  const scopes = spec.scopes ?? []
  if (areOpposite(scopes)) errors.invalid('spec.scopes', scopes, 'conflicting scopes')
  const expressions = spec.scopeSelector?.matchExpressions ?? []
  const field = 'spec.scopeSelector.matchExpressions'
  for (const expression of expressions) checkExpression(errors, field, expression)
  if (areOpposite(expressions.map((expression) => expression.scopeName))) errors.invalid(field, scopes, 'conflicting scopes')
}

function checkExpression(
  errors: FieldErrors,
  field: string,
  { scopeName, operator, values = [] }: ScopedResourceSelectorRequirement,
): void {
  if (PLAIN_SCOPES.has(scopeName) && operator !== 'Exists') errors.invalid(`${field}.operator`, operator, ONLY_EXISTS)
  if (operator === 'In' || operator === 'NotIn') {
    const text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
    if (values.length === 0) errors.required(`${field}.values`, text)
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
    if (values.length > 0) errors.invalid(`${field}.values`, values, text)
  }
}

function areOpposite(scopes: readonly string[]): boolean {
  return OPPOSITES.some(([one, other]) => scopes.includes(one) && scopes.includes(other))
}
