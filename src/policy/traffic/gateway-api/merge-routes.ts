import type { TrafficRoute, TrafficRule } from '../input/route.ts'
import type { Finding } from '../input/world.ts'
import { originName, type PathMatch, type RouteMatch } from '../model/index.ts'
import { compareOrigins } from './gateway-objects.ts'
import { compareHostnames, coversHostname, declaredHostname, effectiveHostnames } from './hostnames.ts'
import { groupBy } from './object-index.ts'

/** One match of one rule: what becomes one Route of the intermediate form. */
export interface RoutedMatch {
  readonly route: TrafficRoute
  readonly rule: TrafficRule
  /** Of the rule in its route, and of the match in its rule, from 0. */
  readonly ruleIndex: number
  readonly matchIndex: number
  readonly match: RouteMatch
}

export interface MergedHost {
  /** Exact, `*.suffix` or `*`. */
  readonly hostname: string
  /** In the order in which they are tried. */
  readonly matches: readonly RoutedMatch[]
}

/**
 * The matches of routes for one host, most specific first: exact paths, patterns, then prefixes by length; a method; more headers; more query parameters;
 * then the older route, namespace and name, and the order in the route. Source: Gateway API, HTTPRouteRule.matches and GRPCRouteRule.matches.
 */
export function sortRules(routes: readonly TrafficRoute[]): RoutedMatch[] {
  const all = routes.flatMap((route) =>
    route.rules.flatMap((rule, ruleIndex) =>
      (rule.matches.length > 0 ? rule.matches : [{}]).map((match, matchIndex) => ({ route, rule, ruleIndex, matchIndex, match })),
    ),
  )
  return all.sort(compareRouted)
}

/**
 * Routes of one parent by host. `hostname` is the listener's (absent: all hosts). A request for a host that no rule of its own routes takes goes on to those
 * of wider wildcards, so these stand behind. Findings say which rules lost against an older object, and which can never be reached.
 */
export function mergeRoutes(routes: readonly TrafficRoute[], hostname?: string): { hosts: MergedHost[]; findings: Finding[] } {
  const placed = routes.map((route) => ({ route, hosts: effectiveHostnames(hostname, route.hostnames) }))
  const names = [...new Set(placed.flatMap(({ hosts }) => hosts))].sort(compareHostnames)
  const findings = new Map<string, Finding>()
  const byHost = new Map(names.map((name) => [name, [] as TrafficRoute[]]))
  for (const { route, hosts: own } of placed) for (const host of own) byHost.get(host)?.push(route)
  const sorted = new Map([...byHost].map(([name, own]) => [name, byDeclared(name, own, hostname)]))
  const hosts = names.map((name) => {
    const matches = names.filter((other) => coversHostname(other, name)).flatMap((level) => sorted.get(level) ?? [])
    const own = new Set(byHost.get(name))
    const kept: RoutedMatch[] = []
    for (const one of matches) {
      const winner = kept.find((earlier) => covers(earlier.match, one.match))
      if (!winner) kept.push(one)
      // that a host of its own is preferred to a wildcard is no news
      else if (own.has(one.route)) report(findings, one, winner)
    }
    return { hostname: name, matches: kept }
  })
  return { hosts, findings: [...findings.values()] }
}

/** Routes that only share a host because a listener has no other are told apart by what they name themselves. Source: Gateway API, HTTPRoute.spec.hostnames. */
function byDeclared(host: string, routes: readonly TrafficRoute[], listener: string | undefined): RoutedMatch[] {
  const groups = groupBy(routes, ({ hostnames }) => declaredHostname(host, listener, hostnames))
  return [...groups].sort(([a], [b]) => compareHostnames(a, b)).flatMap(([, group]) => sortRules(group))
}

function report(findings: Map<string, Finding>, lost: RoutedMatch, winner: RoutedMatch): void {
  const key = `${originName(lost.route.origin)} ${lost.ruleIndex} ${lost.matchIndex}`
  const same = covers(lost.match, winner.match)
  const type = same && lost.route !== winner.route ? 'Conflicted' : 'Shadowed'
  const by = `rule ${winner.rule.name ?? winner.ruleIndex} of ${originName(winner.route.origin)}`
  const message = `Rule ${lost.rule.name ?? lost.ruleIndex}, match ${lost.matchIndex}: ${by} takes all its requests`
  findings.set(key, { origin: lost.route.origin, type, reason: type === 'Conflicted' ? 'RuleConflict' : 'RuleShadowed', message })
}

function compareRouted(a: RoutedMatch, b: RoutedMatch): number {
  const [left, right] = [weights(a.match), weights(b.match)]
  for (const [i, weight] of left.entries()) if (weight !== right[i]) return right[i]! - weight
  return compareOrigins(a.route.origin, b.route.origin) || a.ruleIndex - b.ruleIndex || a.matchIndex - b.matchIndex
}

/** Larger is more specific, the first difference decides. */
function weights({ path, method, headers = [], query = [], grpc }: RouteMatch): number[] {
  return [...pathWeights(path, grpc), method ? 1 : 0, headers.length, query.length, grpc ? 1 : 0]
}

function pathWeights(path: PathMatch | undefined, grpc?: true): [number, number] {
  if (!path) return [0, 0]
  if ('exact' in path) return [3, 0]
  // patterns have no length that says anything: the order in the route decides
  // of gRPC, a pattern stands for a method of any service: less than a service
  if ('regex' in path) return [grpc ? 1 : 2, 0]
  const prefix = 'pathPrefix' in path ? path.pathPrefix : path.prefix
  return [grpc ? 2 : 1, prefix.length]
}

/** Whether every request that `b` matches is matched by `a`; may say no where it cannot tell. The path first: it is what differs most. */
function covers(a: RouteMatch, b: RouteMatch): boolean {
  if (!coversPath(a.path, b.path)) return false
  if (a.grpc && !b.grpc) return false
  if (a.method && a.method !== b.method) return false
  return isPart(a.headers, b.headers) && isPart(a.query, b.query)
}

function isPart(part: readonly object[] = [], whole: readonly object[] = []): boolean {
  if (part.length > whole.length) return false
  const texts = new Set(whole.map((one) => JSON.stringify(one)))
  return part.every((one) => texts.has(JSON.stringify(one)))
}

function coversPath(a: PathMatch | undefined, b: PathMatch | undefined): boolean {
  if (!a || ('pathPrefix' in a && a.pathPrefix === '/')) return true
  if (!b) return false
  if ('regex' in a) return 'regex' in b && a.regex === b.regex
  if ('exact' in a) return 'exact' in b && a.exact === b.exact
  if ('regex' in b) return false
  const narrow = 'exact' in b ? b.exact : 'pathPrefix' in b ? b.pathPrefix : b.prefix
  if ('prefix' in a) return narrow.startsWith(a.prefix)
  // a prefix of characters takes more than the segments that begin with it
  return narrow === a.pathPrefix ? !('prefix' in b) : narrow.startsWith(`${a.pathPrefix}/`)
}
