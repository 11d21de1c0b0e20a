import { parseIp, parsePrefix, prefixContains, type IpBytes } from '../../../base/ip.ts'
import type { Principal, Rbac, RbacRule, RequestMatch } from '../model/index.ts'
import { pathReadings } from './normal-path.ts'
import { hostOf, type RequestView } from './request-view.ts'
import { compileAny, compileHeaderMatch, compileStringMatch, MatchError } from './string-match.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Who asks, as far as the connection says. Made once for each connection. */
export class Peer {
  /** SPIFFE ID of the verified certificate. */
  readonly identity: string | undefined
  readonly address: string
  readonly serverName: string | undefined
  /** That the connection came to: the application's. */
  readonly port: number
  #bytes: IpBytes | undefined

  constructor(values: { readonly identity?: string; readonly address: string; readonly serverName?: string; readonly port: number }) {
    this.identity = values.identity
    this.address = values.address
    this.serverName = values.serverName
    this.port = values.port
  }

  /** Of the address; empty for one that is none. */
  get bytes(): IpBytes {
    this.#bytes ??= unmapped(parseIp(this.address))
    return this.#bytes
  }
}

export interface RbacDecision {
  /** `shadowDeny`: passes, but a rule under trial (or a policy in a dry run) would have refused it. */
  readonly verdict: 'allow' | 'deny' | 'shadowDeny'
  /** Name of the rule that decided; `none`: no rule did. */
  readonly rule: string
}

export interface CompiledRbac {
  /** Allocates nothing on the usual path. @param request absent: a connection that is not HTTP; conditions on requests match nothing then */
  decide(peer: Peer, request?: RequestView, claims?: Claims): RbacDecision
  /** Rules that look at claims, or at requests: judging the connection alone would not be enough. */
  readonly needsRequest: boolean
}

type RuleTest = (peer: Peer, path: string, request: RequestView | undefined, claims: Claims | undefined) => boolean

interface CompiledRule {
  readonly matches: RuleTest
  readonly decision: RbacDecision
}

/**
 * Paths have two readings where they are unusual (`normalPath`): whoever is asked for by a rule that refuses is refused in either, and whoever is let pass
 * must be let pass in both. So an encoded path neither slips by a denial nor borrows a permission.
 * @throws MatchError naming the rule
 */
export function compileRbac(rbac: Rbac): CompiledRbac {
  const refused = rbac.dryRun === true ? 'shadowDeny' : 'deny'
  const deny = rbac.deny.map((rule) => compileRule(rule, refused))
  const shadow = rbac.shadowDeny.map((rule) => compileRule(rule, 'shadowDeny'))
  const allow = rbac.allow.map((rule) => compileRule(rule, 'allow'))
  const otherwise: RbacDecision = { verdict: rbac.otherwise === 'allow' ? 'allow' : refused, rule: 'none' }

  const decideFor: Decide = (peer, path, request, claims) => {
    const denied = first(deny, peer, path, request, claims)
    if (denied) return denied
    const shadowed = first(shadow, peer, path, request, claims)
    if (shadowed) {
      const enforced = first(allow, peer, path, request, claims) ?? otherwise
      return enforced.verdict === 'deny' ? enforced : shadowed
    }
    return first(allow, peer, path, request, claims) ?? otherwise
  }
  const rules = [...rbac.deny, ...rbac.shadowDeny, ...rbac.allow]
  return {
    decide(peer, request, claims) {
      if (!request) return decideFor(peer, '', undefined, claims)
      const [path, other] = pathReadings(request.path)
      const decision = decideFor(peer, path, request, claims)
      return other === undefined || decision.verdict === 'deny' ? decision : worse(decision, decideFor(peer, other, request, claims))
    },
    needsRequest: rules.some(({ requests, principals }) => requests.some(isHttp) || principals.some(({ claims }) => claims !== undefined)),
  }
}

type Decide = (peer: Peer, path: string, request: RequestView | undefined, claims: Claims | undefined) => RbacDecision

const BADNESS = { allow: 0, shadowDeny: 1, deny: 2 } as const
const worse = (a: RbacDecision, b: RbacDecision): RbacDecision => (BADNESS[b.verdict] > BADNESS[a.verdict] ? b : a)

function first(
  rules: readonly CompiledRule[],
  peer: Peer,
  path: string,
  request: RequestView | undefined,
  claims: Claims | undefined,
): RbacDecision | undefined {
  for (const rule of rules) if (rule.matches(peer, path, request, claims)) return rule.decision
  return undefined
}

function compileRule(rule: RbacRule, verdict: RbacDecision['verdict']): CompiledRule {
  try {
    const principals = rule.principals.map(compilePrincipal)
    const requests = rule.requests.map(compileRequest)
    return {
      decision: { verdict, rule: rule.name },
      matches: (peer, path, request, claims) =>
        (principals.length === 0 || principals.some((test) => test(peer, claims))) &&
        (requests.length === 0 || requests.some((test) => test(peer, path, request, claims))),
    }
  } catch (error) {
    if (error instanceof MatchError) throw new MatchError(`rule ${rule.name}: ${error.message}`)
    throw error
  }
}

/** Who is meant by filters that are for some callers: those of `principals` (absent: all) but for those of `notPrincipals`. @throws MatchError */
export function compileCallers(callers: {
  readonly principals?: readonly Principal[]
  readonly notPrincipals?: readonly Principal[]
}): (peer: Peer) => boolean {
  const meant = callers.principals?.map((principal) => compilePrincipal(principal))
  const others = (callers.notPrincipals ?? []).map((principal) => compilePrincipal(principal))
  return (peer) => (!meant || meant.some((test) => test(peer))) && !others.some((test) => test(peer))
}

/** Whether somebody is meant by a principal; all of its fields must fit. @throws MatchError */
export function compilePrincipal(principal: Principal): (peer: Peer, claims?: Claims) => boolean {
  const { spiffeId, notSpiffeId, authenticated, sourceIps, notSourceIps, serverName, claims } = principal
  const id = spiffeId && compileStringMatch(spiffeId)
  const notId = notSpiffeId && compileStringMatch(notSpiffeId)
  const name = serverName && compileStringMatch(serverName)
  const within = sourceIps && compilePrefixes(sourceIps)
  const outside = notSourceIps && compilePrefixes(notSourceIps)
  const claimTests = claims?.map(({ name: path, value, invert = false }) => {
    const test = compileStringMatch(value)
    return (given: Claims | undefined): boolean => claimTexts(given, path).some(test) !== invert
  })
  return (peer, given) =>
    (!id || id(peer.identity)) &&
    (!notId || !notId(peer.identity)) &&
    (authenticated === undefined || peer.identity !== undefined) &&
    (!name || name(peer.serverName)) &&
    (!within || within(peer)) &&
    (!outside || !outside(peer)) &&
    (!claimTests || (given !== undefined && claimTests.every((test) => test(given))))
}

/** Texts of a claim: a path such as `realm_access.roles`; a name that itself has dots comes first. */
function claimTexts(claims: Claims | undefined, path: string): readonly string[] {
  if (!claims) return []
  let value: unknown = Object.hasOwn(claims, path) ? claims[path] : claims
  if (value === claims) {
    for (const key of path.split('.')) {
      value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Claims)[key] : undefined
    }
  }
  return [value].flat().flatMap((item) => (['string', 'number', 'boolean'].includes(typeof item) ? [String(item)] : []))
}

function compilePrefixes(cidrs: readonly string[]): (peer: Peer) => boolean {
  const prefixes = cidrs.map((cidr) => {
    const prefix = parsePrefix(cidr)
    if (!prefix) throw new MatchError(`${JSON.stringify(cidr)} is not an IP address or CIDR`)
    return prefix
  })
  return ({ bytes }) => prefixes.some((prefix) => prefixContains(prefix, bytes))
}

/** IPv4 that came to an IPv6 socket is IPv4. */
function unmapped(bytes: IpBytes | undefined): IpBytes {
  if (bytes?.length !== 16) return bytes ?? new Uint8Array(0)
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255 ? bytes.subarray(12) : bytes
}

/** Conditions that only HTTP can fulfil. */
function isHttp(match: RequestMatch): boolean {
  const { methods, notMethods, paths, notPaths, hosts, notHosts, headers } = match
  return [methods, notMethods, paths, notPaths, hosts, notHosts, headers].some((field) => field !== undefined && field.length > 0)
}

function compileRequest(match: RequestMatch): RuleTest {
  const { methods, notMethods, ports, headers } = match
  const http = isHttp(match)
  const paths = compileAny(match.paths)
  const notPaths = compileAny(match.notPaths)
  const hosts = compileAny(match.hosts)
  const notHosts = compileAny(match.notHosts)
  const headerTests = headers?.map(compileHeaderMatch) ?? []
  return (peer, path, request) => {
    if (ports && ports.length > 0 && !ports.includes(peer.port)) return false
    if (!http) return true
    return (
      request !== undefined &&
      (!methods?.length || methods.includes(request.method)) &&
      !notMethods?.includes(request.method) &&
      (!paths || paths(path)) &&
      (!notPaths || !notPaths(path)) &&
      (!hosts || hosts(hostOf(request.authority))) &&
      (!notHosts || !notHosts(hostOf(request.authority))) &&
      headerTests.every((test) => test(request))
    )
  }
}
