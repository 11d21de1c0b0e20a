import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import type { PrefixMatch, RouteMatch, RoutePolicySpec, RouteSet } from './route-policy.ts'
import { checkAsn, checkBetween, checkNumberRange, checkPrefix, MAX_ASN } from './routing-checks.ts'

/** Names of communities that have one. Source: RFC 1997, RFC 3765, RFC 7999, RFC 8326. */
export const WELL_KNOWN_COMMUNITIES: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', 0xffff_0000],
  ['accept-own', 0xffff_0001],
  ['llgr-stale', 0xffff_0006],
  ['no-llgr', 0xffff_0007],
  ['blackhole', 0xffff_029a],
  ['no-export', 0xffff_ff01],
  ['no-advertise', 0xffff_ff02],
  ['no-export-subconfed', 0xffff_ff03],
  ['no-peer', 0xffff_ff04],
])

const MAX_RULES = 1_000
const MAX_EXPRESSION = 256

/** What a RoutePolicy may say. Expressions are kept to a language that is matched in linear time. */
export function checkRoutePolicy(errors: FieldErrors, spec: RoutePolicySpec): void {
  const rules = spec.rules ?? []
  if (rules.length > MAX_RULES) return errors.tooMany('spec.rules', rules.length, MAX_RULES)
  rules.forEach((rule, i) => {
    const field = `spec.rules[${i}]`
    if (!rule.name) errors.required(`${field}.name`, 'explanations name it')
    else if (rules.findIndex(({ name }) => name === rule.name) !== i) errors.duplicate(`${field}.name`, rule.name)
    if (!rule.action) errors.required(`${field}.action`, 'Accept, Reject or Next')
    checkMatch(errors, `${field}.match`, rule.match ?? {})
    checkSet(errors, `${field}.set`, rule.set ?? {})
    if (rule.action === 'Reject' && rule.set) errors.forbidden(`${field}.set`, 'a route that is rejected is not changed')
  })
}

function checkMatch(errors: FieldErrors, field: string, match: RouteMatch): void {
  match.prefixes?.forEach((prefix, i) => checkPrefixMatch(errors, `${field}.prefixes[${i}]`, prefix))
  match.asPath?.forEach((text, i) => {
    const problem = asPathProblem(text)
    if (problem !== undefined) errors.invalid(`${field}.asPath[${i}]`, text, problem)
  })
  checkNumberRange(errors, `${field}.asPathLength`, match.asPathLength, 4_096)
  checkNumberRange(errors, `${field}.localPreference`, match.localPreference, MAX_ASN)
  checkNumberRange(errors, `${field}.med`, match.med, MAX_ASN)
  for (const list of ['originatedBy', 'passedThrough'] as const) {
    match[list]?.forEach((asn, i) => checkBetween(errors, `${field}.${list}[${i}]`, asn, 0, MAX_ASN))
  }
  checkCommunities(errors, `${field}.communities`, match.communities, true)
  checkLargeCommunities(errors, `${field}.largeCommunities`, match.largeCommunities, true)
  match.nextHops?.forEach((text, i) => {
    if (!parsePrefix(text)) errors.invalid(`${field}.nextHops[${i}]`, text, 'must be an address or a prefix')
  })
}

function checkPrefixMatch(errors: FieldErrors, field: string, { prefix, minimumLength, maximumLength }: PrefixMatch): void {
  const family = checkPrefix(errors, `${field}.prefix`, prefix)
  if (family === undefined) return
  const length = Number(prefix.slice(prefix.indexOf('/') + 1))
  const longest = family === 4 ? 32 : 128
  checkBetween(errors, `${field}.minimumLength`, minimumLength, length, longest)
  checkBetween(errors, `${field}.maximumLength`, maximumLength, minimumLength ?? length, longest)
}

function checkSet(errors: FieldErrors, field: string, set: RouteSet): void {
  checkBetween(errors, `${field}.localPreference`, set.localPreference, 0, MAX_ASN)
  checkBetween(errors, `${field}.med`, set.med, 0, MAX_ASN)
  checkBetween(errors, `${field}.weight`, set.weight, 0, 65_535)
  checkBetween(errors, `${field}.prepend.count`, set.prepend?.count, 1, 32)
  checkAsn(errors, `${field}.prepend.asn`, set.prepend?.asn)
  if (set.nextHop !== undefined && set.nextHop !== 'self' && !parseIp(set.nextHop)) {
    errors.invalid(`${field}.nextHop`, set.nextHop, 'must be an address or self')
  }
  for (const [kind, check] of [
    ['communities', checkCommunities],
    ['largeCommunities', checkLargeCommunities],
  ] as const) {
    const capital = `${kind[0]?.toUpperCase()}${kind.slice(1)}` as 'Communities' | 'LargeCommunities'
    check(errors, `${field}.${kind}`, set[kind], false)
    check(errors, `${field}.add${capital}`, set[`add${capital}`], false)
    check(errors, `${field}.remove${capital}`, set[`remove${capital}`], true)
    if (set[kind] && (set[`add${capital}`] || set[`remove${capital}`])) {
      errors.forbidden(`${field}.${kind}`, `replaces all: may not be set together with add${capital} or remove${capital}`)
    }
  }
}

function checkCommunities(errors: FieldErrors, field: string, list: readonly string[] | undefined, wildcard: boolean): void {
  list?.forEach((text, i) => {
    const isGood = WELL_KNOWN_COMMUNITIES.has(text) || hasParts(text, 2, 65_535, wildcard)
    if (!isGood) errors.invalid(`${field}[${i}]`, text, `must be like 65001:100${wildcard ? ', 65001:*' : ''} or a name such as no-export`)
  })
}

function checkLargeCommunities(errors: FieldErrors, field: string, list: readonly string[] | undefined, wildcard: boolean): void {
  list?.forEach((text, i) => {
    if (!hasParts(text, 3, MAX_ASN, wildcard)) {
      errors.invalid(`${field}[${i}]`, text, `must be like 65001:1:2${wildcard ? ' or 65001:*:*' : ''}`)
    }
  })
}

function hasParts(text: string, count: number, highest: number, wildcard: boolean): boolean {
  const parts = text.split(':')
  return parts.length === count && parts.every((part) => (wildcard && part === '*') || (/^\d{1,10}$/.test(part) && Number(part) <= highest))
}

/** Why `text` cannot match paths; only digits, blanks, `_ ^ $ . * + ? | ( ) [ ] -` are used, so that no two stars nest. */
function asPathProblem(text: string): string | undefined {
  if (text.length > MAX_EXPRESSION) return `must not be longer than ${MAX_EXPRESSION} characters`
  if (!/^[\d _^$.*+?|()[\]-]*$/.test(text)) return 'may hold digits, blanks and _ ^ $ . * + ? | ( ) [ ] - only'
  if (/\)[*+]/.test(text)) return 'a group may not be repeated with * or +'
  try {
    void new RegExp(text)
    return undefined
  } catch (error) {
    return `is no regular expression: ${error instanceof Error ? error.message : String(error)}`
  }
}
