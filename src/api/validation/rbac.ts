import type { PolicyRule, RoleRef, Subject } from '../generated/types.ts'
import { checkPathSegmentName, checkSubdomainName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'

export const RBAC_GROUP = 'rbac.authorization.k8s.io'

/** Rules of a role. Those of a namespace cannot allow paths that are no resources. Source: k8s.io/kubernetes rbac/validation. */
export function checkRules(errors: FieldErrors, rules: readonly PolicyRule[] | undefined, options: { readonly namespaced: boolean }): void {
  rules?.forEach((rule, i) => {
    const field = `rules[${i}]`
    const { nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule
    if (!rule.verbs?.length) errors.required(`${field}.verbs`, 'verbs must contain at least one value')
    if (nonResourceURLs.length > 0) {
      if (options.namespaced) {
        errors.invalid(`${field}.nonResourceURLs`, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs')
      }
      if (apiGroups.length + resources.length + resourceNames.length > 0) {
        const text = 'rules cannot apply to both regular resources and non-resource URLs'
        errors.invalid(`${field}.nonResourceURLs`, nonResourceURLs, text)
      }
      return
    }
    if (apiGroups.length === 0) errors.required(`${field}.apiGroups`, 'resource rules must supply at least one api group')
    if (resources.length === 0) errors.required(`${field}.resources`, 'resource rules must supply at least one resource')
  })
}

interface Binding {
  readonly roleRef: RoleRef
  readonly subjects?: readonly Subject[] | undefined
}

export function checkBinding(errors: FieldErrors, { roleRef, subjects }: Binding, options: { readonly namespaced: boolean }): void {
  const reference: Partial<RoleRef> = roleRef ?? {}
  errors.oneOf('roleRef.apiGroup', reference.apiGroup, [RBAC_GROUP])
  errors.oneOf('roleRef.kind', reference.kind ?? '', options.namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'])
  if (!reference.name) errors.required('roleRef.name')
  else errors.invalidEach('roleRef.name', reference.name, checkPathSegmentName(reference.name))
  subjects?.forEach((subject, i) => checkSubject(errors, `subjects[${i}]`, subject, options))
}

/** A binding is for one role as long as it exists: who may bind was decided for that. */
export function checkBindingUpdate(errors: FieldErrors, next: Binding, previous: Binding): void {
  const same = (['apiGroup', 'kind', 'name'] as const).every((key) => next.roleRef?.[key] === previous.roleRef?.[key])
  if (!same) errors.invalid('roleRef', next.roleRef, 'cannot change roleRef')
}

function checkSubject(errors: FieldErrors, field: string, subject: Subject, options: { readonly namespaced: boolean }): void {
  if (!subject.name) errors.required(`${field}.name`)
  switch (subject.kind) {
    case 'ServiceAccount':
      if (subject.name) errors.invalidEach(`${field}.name`, subject.name, checkSubdomainName(subject.name))
      errors.oneOf(`${field}.apiGroup`, subject.apiGroup ?? '', [''])
      if (!options.namespaced && !subject.namespace) errors.required(`${field}.namespace`)
      break
    case 'User':
    case 'Group':
      errors.oneOf(`${field}.apiGroup`, subject.apiGroup, [RBAC_GROUP])
      break
    default:
      errors.notSupported(`${field}.kind`, subject.kind ?? '', ['ServiceAccount', 'User', 'Group'])
  }
}
