import { parsePrefix } from '../../base/ip.ts'
import type { AttributeFacts } from '../../protocols/bgp/attribute-block.ts'
import { compileAsPathPattern } from './as-path-pattern.ts'
import { type CommunityPattern, hasFitting, parseCommunity } from './community-pattern.ts'
import { PrefixList, type PrefixListEntry } from './prefix-list.ts'
import type { CommunityMatch, NumberRange, PrefixMatch, RouteMatch, RouteSource } from './route-policy.ts'
import { RoutePolicyError } from './route-policy-error.ts'

/** A condition on what routes share. */
export type AttributeTest = (facts: AttributeFacts, source: RouteSource) => boolean

/** The conditions of a rule, apart by what they look at. */
export interface CompiledMatch {
  readonly tests: readonly AttributeTest[]
  readonly prefixes?: PrefixList
}

const ORIGINS = { IGP: 0, EGP: 1, Incomplete: 2 } as const

/** @throws {RoutePolicyError} */
export function compileMatch(match: RouteMatch, path: string): CompiledMatch {
  const tests: AttributeTest[] = []
  const { prefixes, asPath, asPathLength, originAs, communities, largeCommunities, nextHops, localPreference, med, origins, sources } =
    match
  if (sources?.length) tests.push((_, source) => sources.includes(source))
  if (origins?.length) {
    const allowed = origins.map((origin) => ORIGINS[origin])
    tests.push(({ origin }) => allowed.includes(origin as 0))
  }
  if (localPreference) tests.push(({ localPreference: value }) => isWithin(value, localPreference))
  if (med) tests.push(({ med: value }) => isWithin(value, med))
  if (asPathLength) tests.push(({ asPathLength: value }) => isWithin(value, asPathLength))
  if (originAs?.length) tests.push((facts) => facts.asPathBytes > 0 && originAs.includes(facts.originAs))
  if (nextHops?.length) tests.push(nextHopTest(nextHops, `${path}.nextHops`))
  if (communities) tests.push(communityTest(communities, false, `${path}.communities`))
  if (largeCommunities) tests.push(communityTest(largeCommunities, true, `${path}.largeCommunities`))
  // last: the dearest
  if (asPath?.length) tests.push(asPathTest(asPath, `${path}.asPath`))
  if (!prefixes?.length) return { tests }
  return { tests, prefixes: new PrefixList(prefixes.map((one, i) => prefixEntry(one, `${path}.prefixes[${i}]`))) }
}

function isWithin(value: number, { min, max }: NumberRange): boolean {
  return value >= (min ?? 0) && value <= (max ?? 0xffffffff)
}

function asPathTest(patterns: readonly string[], path: string): AttributeTest {
  const compiled = patterns.map((pattern, i) => {
    try {
      return compileAsPathPattern(pattern)
    } catch (error) {
      throw new RoutePolicyError(`${path}[${i}]`, (error as Error).message)
    }
  })
  return ({ bytes, asPathOffset, asPathBytes }) => compiled.some((pattern) => pattern.matches(bytes, asPathOffset, asPathBytes))
}

function communityTest(match: CommunityMatch, large: boolean, path: string): AttributeTest {
  const read = (part: 'any' | 'all' | 'none'): CommunityPattern[] =>
    (match[part] ?? []).map((text, i) => readCommunity(text, large, `${path}.${part}[${i}]`))
  const [any, all, none] = [read('any'), read('all'), read('none')]
  return (facts) => {
    const offset = large ? facts.largeCommunitiesOffset : facts.communitiesOffset
    const length = large ? facts.largeCommunitiesBytes : facts.communitiesBytes
    const has = (pattern: CommunityPattern): boolean => hasFitting(pattern, facts.bytes, offset, length)
    return (any.length === 0 || any.some(has)) && all.every(has) && !none.some(has)
  }
}

/** @throws {RoutePolicyError} when the text is no community */
export function readCommunity(text: string, large: boolean, path: string): CommunityPattern {
  const pattern = parseCommunity(text, large)
  if (!pattern)
    throw new RoutePolicyError(
      path,
      `"${text}" is no ${large ? 'large community, such as 64500:1:2' : 'community, such as 64500:1 or no-export'}`,
    )
  return pattern
}

function nextHopTest(prefixes: readonly string[], path: string): AttributeTest {
  const list = new PrefixList(prefixes.map((prefix, i) => prefixEntry({ prefix, ge: 0 }, `${path}[${i}]`)))
  return ({ bytes, nextHopOffset, nextHopLength }) =>
    nextHopLength > 0 && list.matchesAddress(bytes, nextHopOffset, Math.min(nextHopLength, 16))
}

function prefixEntry({ prefix: text, ge, le }: PrefixMatch, path: string): PrefixListEntry {
  const prefix = parsePrefix(text)
  if (!prefix) throw new RoutePolicyError(path, `"${text}" is no prefix`)
  const full = prefix.bytes.length * 8
  const most = le ?? (ge === undefined ? prefix.length : full)
  const least = Math.max(ge ?? prefix.length, prefix.length)
  if (most > full || least > most) throw new RoutePolicyError(path, `no length from ${least} to ${most} is possible for ${text}`)
  return { prefix, ge: least, le: most }
}
