import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import type { CommunityActions, CommunityMatch, PrefixMatch, RouteActions, RouteMatch, RoutePolicySpec } from './route-policy.ts'
import { checkAsn, checkBetween, checkNumberRange, checkPrefix, MAX_ASN } from './routing-checks.ts'

/** Names of communities that may stand for their numbers. Source: RFC 1997, RFC 7999, RFC 8326. */
const COMMUNITY_NAMES = new Set(['no-export', 'no-advertise', 'graceful-shutdown', 'blackhole'])

const MAX_RULES = 1_000
const MAX_ENTRIES = 10_000
const MAX_EXPRESSION = 256

/** What a RoutePolicy may say. Path expressions are kept to a language in which nothing nests that repeats. */
export function checkRoutePolicy(errors: FieldErrors, spec: RoutePolicySpec): void {
  const rules = spec.rules ?? []
  if (rules.length > MAX_RULES) return errors.tooMany('spec.rules', rules.length, MAX_RULES)
  const names = new Set<string>()
  rules.forEach((rule, i) => {
    const field = `spec.rules[${i}]`
    if (!rule.name) errors.required(`${field}.name`, 'explanations name it')
    else if (names.has(rule.name)) errors.duplicate(`${field}.name`, rule.name)
    names.add(rule.name)
    if (!rule.action) errors.required(`${field}.action`, 'Accept, Reject or Continue')
    checkMatch(errors, `${field}.match`, rule.match ?? {})
    checkSet(errors, `${field}.set`, rule.set ?? {})
    if (rule.action === 'Reject' && rule.set) errors.forbidden(`${field}.set`, 'a route that is rejected is not changed')
  })
}

function checkMatch(errors: FieldErrors, field: string, match: RouteMatch): void {
  const prefixes = match.prefixes ?? []
  if (prefixes.length > MAX_ENTRIES) errors.tooMany(`${field}.prefixes`, prefixes.length, MAX_ENTRIES)
  else prefixes.forEach((prefix, i) => checkPrefixMatch(errors, `${field}.prefixes[${i}]`, prefix))
  match.asPath?.forEach((text, i) => {
    const problem = asPathProblem(text)
    if (problem !== undefined) errors.invalid(`${field}.asPath[${i}]`, text, problem)
  })
  checkNumberRange(errors, `${field}.asPathLength`, match.asPathLength, 4_096)
  checkNumberRange(errors, `${field}.localPreference`, match.localPreference, MAX_ASN)
  checkNumberRange(errors, `${field}.med`, match.med, MAX_ASN)
  match.originAs?.forEach((asn, i) => checkBetween(errors, `${field}.originAs[${i}]`, asn, 0, MAX_ASN))
  checkEach(errors, `${field}.communities`, match.communities, communityProblem(true))
  checkEach(errors, `${field}.largeCommunities`, match.largeCommunities, largeCommunityProblem(true))
  match.nextHops?.forEach((text, i) => {
    if (!parsePrefix(text)) errors.invalid(`${field}.nextHops[${i}]`, text, 'must be an address or a prefix')
  })
}

function checkPrefixMatch(errors: FieldErrors, field: string, { prefix, ge, le }: PrefixMatch): void {
  if (prefix === undefined) return errors.required(`${field}.prefix`, 'such as 10.0.0.0/8')
  const family = checkPrefix(errors, `${field}.prefix`, prefix)
  if (family === undefined) return
  const length = Number(prefix.slice(prefix.indexOf('/') + 1))
  const longest = family === 4 ? 32 : 128
  checkBetween(errors, `${field}.ge`, ge, length, longest)
  checkBetween(errors, `${field}.le`, le, ge ?? length, longest)
}

function checkSet(errors: FieldErrors, field: string, set: RouteActions): void {
  checkBetween(errors, `${field}.localPreference`, set.localPreference, 0, MAX_ASN)
  checkBetween(errors, `${field}.med`, set.med, 0, MAX_ASN)
  checkBetween(errors, `${field}.addMed`, set.addMed, -MAX_ASN, MAX_ASN)
  if (set.removeMed && (set.med !== undefined || set.addMed !== undefined)) {
    errors.forbidden(`${field}.removeMed`, 'may not be set together with med or addMed')
  }
  checkBetween(errors, `${field}.prepend.count`, set.prepend?.count, 1, 32)
  checkAsn(errors, `${field}.prepend.as`, set.prepend?.as)
  if (set.nextHop !== undefined && set.nextHop !== 'self' && set.nextHop !== 'unchanged' && !parseIp(set.nextHop)) {
    errors.invalid(`${field}.nextHop`, set.nextHop, 'must be an address, self or unchanged')
  }
  checkActions(errors, `${field}.communities`, set.communities, communityProblem)
  checkActions(errors, `${field}.largeCommunities`, set.largeCommunities, largeCommunityProblem)
}

type Problem = (text: string) => string | undefined

function checkActions(
  errors: FieldErrors,
  field: string,
  actions: CommunityActions | undefined,
  problem: (wildcard: boolean) => Problem,
): void {
  const { remove, ...exact } = actions ?? {}
  checkEach(errors, field, exact, problem(false))
  checkEach(errors, field, remove ? { remove } : {}, problem(true))
}

function checkEach(errors: FieldErrors, field: string, lists: CommunityMatch | CommunityActions | undefined, problem: Problem): void {
  for (const [name, list] of Object.entries(lists ?? {}) as [string, string[]][]) {
    list.forEach((text, i) => {
      const detail = problem(text)
      if (detail !== undefined) errors.invalid(`${field}.${name}[${i}]`, text, detail)
    })
  }
}

const communityProblem =
  (wildcard: boolean): Problem =>
  (text) =>
    COMMUNITY_NAMES.has(text) || hasParts(text, { count: 2, highest: 65_535, wildcard })
      ? undefined
      : `must be like 65001:100${wildcard ? ', 65001:*' : ''} or one of ${[...COMMUNITY_NAMES].join(', ')}`

const largeCommunityProblem =
  (wildcard: boolean): Problem =>
  (text) =>
    hasParts(text, { count: 3, highest: MAX_ASN, wildcard }) ? undefined : `must be like 65001:1:2${wildcard ? ' or 65001:*:*' : ''}`

function hasParts(text: string, options: { readonly count: number; readonly highest: number; readonly wildcard: boolean }): boolean {
  const parts = text.split(':')
  const isPart = (part: string): boolean =>
    (options.wildcard && part === '*') || (/^(0|[1-9]\d{0,9})$/.test(part) && Number(part) <= options.highest)
  return parts.length === options.count && parts.every(isPart)
}

/** Why `text` is no path expression. */
function asPathProblem(text: string): string | undefined {
  if (text.length > MAX_EXPRESSION) return `must not be longer than ${MAX_EXPRESSION} characters`
  if (!/^[\d _^$.*+?|()[\]{},-]*$/.test(text)) return 'may hold digits, blanks and _ ^ $ . * + ? | ( ) [ ] { } , - only'
  // a group that repeats what repeats takes exponential time
  if (/\)[*+{]/.test(text)) return 'a group may not be repeated'
  try {
    void new RegExp(text)
    return undefined
  } catch (error) {
    return `is no regular expression: ${error instanceof Error ? error.message : String(error)}`
  }
}
