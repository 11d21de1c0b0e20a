import type { Principal, Rbac, RbacRule, RequestMatch, StringMatch } from '../../../policy/traffic/model/index.ts'
import { headerMatcher, quoteRegex, stringMatcher } from './match.ts'
import { any, type Json } from './resource.ts'

/** Where rules are judged. */
export interface RbacScope {
  readonly layer: 'http' | 'network'
  /** What `ports` of a rule are compared with; absent: the destination port of the connection. */
  readonly port?: number
}

/** Both halves in the order of judgement: what refuses comes first. */
export interface RbacHalves {
  readonly deny: Json
  readonly allow: Json
}

/**
 * `rules` and `shadow_rules` of two RBAC filters. A shadow denial decides nothing and is counted (`shadow_denied`); a dry run has shadow rules alone. Source: Envoy documentation, role based access control filter.
 */
export function rbacHalves(rbac: Rbac, scope: RbacScope): RbacHalves {
  const rules = (action: 'DENY' | 'ALLOW', list: readonly RbacRule[]): Json => ({ action, policies: policiesOf(list, scope) })
  const allowed = rbac.otherwise === 'allow' ? undefined : rules('ALLOW', rbac.allow)
  if (rbac.dryRun) {
    return { deny: { shadow_rules: rules('DENY', [...rbac.deny, ...rbac.shadowDeny]) }, allow: allowed ? { shadow_rules: allowed } : {} }
  }
  return {
    deny: {
      rules: rbac.deny.length === 0 ? undefined : rules('DENY', rbac.deny),
      shadow_rules: rbac.shadowDeny.length === 0 ? undefined : rules('DENY', rbac.shadowDeny),
    },
    allow: allowed ? { rules: allowed } : {},
  }
}

export const NETWORK_RBAC = 'envoy.extensions.filters.network.rbac.v3.RBAC'

/** Network filters for the rules of a connection; none where they could not refuse or count anything. */
export function networkRbac(rbac: Rbac, statPrefix: string, port?: number): Json[] {
  const halves = rbacHalves(rbac, { layer: 'network', ...(port === undefined ? {} : { port }) })
  return (['deny', 'allow'] as const)
    .filter((half) => halves[half]['rules'] !== undefined || halves[half]['shadow_rules'] !== undefined)
    .map((half) => ({
      name: `rbac.${half}`,
      typed_config: any(NETWORK_RBAC, { ...halves[half], stat_prefix: `${statPrefix}.${half}`, shadow_rules_stat_prefix: 'shadow_' }),
    }))
}

function policiesOf(rules: readonly RbacRule[], scope: RbacScope): Json {
  const policies: Record<string, Json> = {}
  for (const rule of rules) {
    const permissions = permissionsOf(rule.requests, scope)
    if (permissions.length === 0) continue
    for (const [serverName, principals] of byServerName(rule.principals)) {
      // names that come twice are two policies
      let name = rule.name
      for (let count = 2; name in policies; count += 1) name = `${rule.name}#${count}`
      policies[name] = {
        permissions:
          serverName === undefined
            ? permissions
            : permissions.map((permission) => allOf([permission, { requested_server_name: stringMatcher(serverName) }], 'rules')),
        principals: principals.map((principal) => principalOf(principal)),
      }
    }
  }
  return policies
}

/** Server names belong to the caller in the model and to the permission in Envoy. */
function byServerName(principals: readonly Principal[]): readonly (readonly [StringMatch | undefined, readonly Principal[]])[] {
  if (principals.length === 0) return [[undefined, [{}]]]
  const groups = new Map<string, [StringMatch | undefined, Principal[]]>()
  for (const principal of principals) {
    const key = JSON.stringify(principal.serverName ?? null)
    const group = groups.get(key)
    if (group) group[1].push(principal)
    else groups.set(key, [principal.serverName, [principal]])
  }
  return [...groups.values()]
}

/** Where the claims of a verified token are found. */
export const JWT_METADATA = { filter: 'envoy.filters.http.jwt_authn', key: 'payload' } as const

function principalOf({ spiffeId, notSpiffeId, authenticated, sourceIps, notSourceIps, claims }: Principal): Json {
  const ips = (list: readonly string[]): Json =>
    anyOf(
      list.map((cidr) => ({ direct_remote_ip: cidrRange(cidr) })),
      'ids',
    )
  const all: Json[] = []
  if (spiffeId) all.push({ authenticated: { principal_name: stringMatcher(spiffeId) } })
  if (notSpiffeId) all.push({ not_id: { authenticated: { principal_name: stringMatcher(notSpiffeId) } } })
  if (authenticated) all.push({ authenticated: { principal_name: { prefix: 'spiffe://' } } })
  if (sourceIps) all.push(ips(sourceIps))
  if (notSourceIps && notSourceIps.length > 0) all.push({ not_id: ips(notSourceIps) })
  for (const { name, value, invert } of claims ?? []) {
    const path = [JWT_METADATA.key, ...name.split('.')].map((key) => ({ key }))
    const string_match = stringMatcher(value)
    const found = anyOf(
      [{ string_match }, { list_match: { one_of: { string_match } } }].map((matcher) => ({
        metadata: { filter: JWT_METADATA.filter, path, value: matcher },
      })),
      'ids',
    )
    all.push(invert ? { not_id: found } : found)
  }
  return allOf(all, 'ids')
}

/** Empty: can never match here. */
function permissionsOf(requests: readonly RequestMatch[], { layer, port }: RbacScope): readonly Json[] {
  if (requests.length === 0) return [{ any: true }]
  return requests
    .filter((request) => layer === 'http' || !isHttp(request))
    .filter(({ ports }) => port === undefined || !ports || ports.includes(port))
    .map((request) => permissionOf(request, port === undefined))
}

const isHttp = (request: RequestMatch): boolean =>
  Object.entries(request).some(([field, value]) => field !== 'ports' && value !== undefined)

function permissionOf(request: RequestMatch, withPorts: boolean): Json {
  const { methods, notMethods, paths, notPaths, hosts, notHosts, ports, headers } = request
  const method = (list: readonly string[]): Json =>
    anyOf(
      list.map((name) => ({ header: { name: ':method', string_match: { exact: name } } })),
      'rules',
    )
  const path = (list: readonly StringMatch[]): Json =>
    anyOf(
      list.map((match) => ({ url_path: { path: stringMatcher(match) } })),
      'rules',
    )
  const host = (list: readonly StringMatch[]): Json =>
    anyOf(
      list.map((match) => ({ header: { name: ':authority', string_match: hostMatcher(match) } })),
      'rules',
    )
  const all: Json[] = []
  if (methods) all.push(method(methods))
  if (notMethods && notMethods.length > 0) all.push({ not_rule: method(notMethods) })
  if (paths) all.push(path(paths))
  if (notPaths && notPaths.length > 0) all.push({ not_rule: path(notPaths) })
  if (hosts) all.push(host(hosts))
  if (notHosts && notHosts.length > 0) all.push({ not_rule: host(notHosts) })
  if (ports && withPorts)
    all.push(
      anyOf(
        ports.map((destination_port) => ({ destination_port })),
        'rules',
      ),
    )
  for (const header of headers ?? []) all.push({ header: headerMatcher(header) })
  return allOf(all, 'rules')
}

/** Of hosts without case and port. */
function hostMatcher(match: StringMatch): Json {
  const port = '(?::[0-9]+)?'
  if ('exact' in match) return { safe_regex: { regex: `(?i)${quoteRegex(match.exact)}${port}` } }
  if ('suffix' in match) return { safe_regex: { regex: `(?i).*${quoteRegex(match.suffix)}${port}` } }
  if ('regex' in match) return { safe_regex: { regex: `(?i)(?:${match.regex})${port}` } }
  return stringMatcher('present' in match ? match : { ...match, ignoreCase: true })
}

function allOf(list: readonly Json[], member: 'ids' | 'rules'): Json {
  if (list.length === 0) return { any: true }
  return list.length === 1 ? (list[0] as Json) : { [member === 'ids' ? 'and_ids' : 'and_rules']: { [member]: list } }
}

/** An empty list matches nothing. */
function anyOf(list: readonly Json[], member: 'ids' | 'rules'): Json {
  if (list.length === 0) return { [member === 'ids' ? 'not_id' : 'not_rule']: { any: true } }
  return list.length === 1 ? (list[0] as Json) : { [member === 'ids' ? 'or_ids' : 'or_rules']: { [member]: list } }
}

export function cidrRange(cidr: string): Json {
  const [address_prefix = '', length] = cidr.split('/')
  return { address_prefix, prefix_len: length === undefined ? (address_prefix.includes(':') ? 128 : 32) : Number(length) }
}
