import type { FieldErrors } from '../../validation/field-errors.ts'
import { parseGatewayDuration } from './gateway-duration.ts'
import type { HTTPRouteMatch, HTTPRouteRule, HTTPRouteSpec } from './http-route.ts'
import { checkBackend, checkParents, checkRules, checkUnique } from './route-checks.ts'
import { checkFilters, type RouteFilter } from './route-filters.ts'
import { checkSession } from './session-persistence.ts'

/** Rules between the fields of an HTTPRoute. Source: validation rules of its CRD. */
export function checkHttpRoute(errors: FieldErrors, spec: HTTPRouteSpec): void {
  checkParents(errors, spec.parentRefs ?? [], true)
  const rules = spec.rules ?? []
  checkRules(errors, rules)
  rules.forEach((rule, i) => checkRule(errors, `spec.rules[${i}]`, rule))
}

function checkRule(errors: FieldErrors, field: string, rule: HTTPRouteRule): void {
  rule.matches?.forEach((match, i) => checkMatch(errors, `${field}.matches[${i}]`, match))
  checkFilters(errors, `${field}.filters`, rule.filters)
  checkPrefixReplacement(errors, `${field}.filters`, rule.filters, rule.matches)
  const redirect = rule.filters?.findIndex((filter) => filter.requestRedirect) ?? -1
  if (redirect >= 0 && rule.backendRefs?.length) {
    errors.forbidden(`${field}.filters[${redirect}].requestRedirect`, 'must not be used together with backendRefs')
  }
  rule.backendRefs?.forEach((backend, i) => {
    const at = `${field}.backendRefs[${i}]`
    checkBackend(errors, at, backend)
    checkFilters(errors, `${at}.filters`, backend.filters)
    checkPrefixReplacement(errors, `${at}.filters`, backend.filters, rule.matches)
  })
  const request = parseGatewayDuration(rule.timeouts?.request)
  const backendRequest = parseGatewayDuration(rule.timeouts?.backendRequest)
  if (request && backendRequest !== undefined && backendRequest > request) {
    errors.invalid(`${field}.timeouts.backendRequest`, rule.timeouts?.backendRequest, 'cannot be longer than request timeout')
  }
  checkSession(errors, `${field}.sessionPersistence`, rule.sessionPersistence)
}

function checkPrefixReplacement(
  errors: FieldErrors,
  field: string,
  filters: readonly RouteFilter[] | undefined,
  matches: readonly HTTPRouteMatch[] | undefined,
): void {
  const onePrefix = matches?.length === 1 && matches[0]?.path?.type === 'PathPrefix'
  filters?.forEach((filter, i) => {
    for (const key of ['requestRedirect', 'urlRewrite'] as const) {
      if (filter[key]?.path?.type === 'ReplacePrefixMatch' && !onePrefix) {
        const text = 'exactly one match, of a path of type PathPrefix, must be specified when the prefix is replaced'
        errors.invalid(`${field}[${i}].${key}.path.type`, 'ReplacePrefixMatch', text)
      }
    }
  })
}

const PATH = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/

function checkMatch(errors: FieldErrors, field: string, { path, headers, queryParams }: HTTPRouteMatch): void {
  checkUnique(errors, `${field}.headers`, headers)
  checkUnique(errors, `${field}.queryParams`, queryParams)
  if (!path || path.type === 'RegularExpression') return
  const value = path.value ?? '/'
  const wrong = (text: string): void => errors.invalid(`${field}.path.value`, value, text)
  if (!value.startsWith('/')) wrong("must be an absolute path and start with '/'")
  for (const part of ['//', '/./', '/../', '%2f', '%2F', '#']) if (value.includes(part)) wrong(`must not contain '${part}'`)
  for (const end of ['/..', '/.']) if (value.endsWith(end)) wrong(`must not end with '${end}'`)
  if (!value.includes('#') && !PATH.test(value)) wrong("must have only letters, digits, percent escapes and -/._~!$&'()*+,;=:@")
}
