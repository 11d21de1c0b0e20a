import { podIdentityOf } from '../../../policy/traffic/compile/index.ts'
import type { ProxyView, TrafficPolicy } from '../../../policy/traffic/input/index.ts'
import { selectsProxy, type AuthorizationConf } from '../../../policy/traffic/kuma/index.ts'
import type { ObservedCall } from '../../../policy/traffic/policies/index.ts'
import type { RequestMatch, StringMatch } from '../../../policy/traffic/model/index.ts'

export interface PossibleCalls {
  readonly calls: readonly ObservedCall[]
  /** There are more than were listed. */
  readonly isCut: boolean
}

/** Requests that are tried at one port. */
const MAX_REQUESTS = 32

/**
 * Calls that proxies of the mesh could make to what the policies select: from each identity to each port of a service, as one connection, or as those requests
 * that rules of the policies speak of and `GET /`. Nobody has made them: their count is 0.
 * @param limit calls at most
 */
export function possibleCalls(
  policies: readonly TrafficPolicy[],
  proxies: readonly ProxyView[],
  trustDomain: string,
  limit: number,
): PossibleCalls {
  const callers = new Map<string, ProxyView>()
  for (const proxy of proxies) {
    const identity = podIdentityOf(proxy, trustDomain)
    if (!callers.has(identity)) callers.set(identity, proxy)
  }
  const targets = new Map<string, { readonly service: { namespace: string; name: string }; readonly port: number; isHttp: boolean }>()
  for (const proxy of proxies) {
    if (!policies.some(({ proxies: selector }) => selectsProxy(selector, proxy))) continue
    for (const { protocol, services } of proxy.ports) {
      for (const { namespace, name, port } of services) {
        targets.set(`${namespace}/${name}:${port}`, {
          service: { namespace, name },
          port,
          isHttp: protocol !== 'tcp' && protocol !== 'tls',
        })
      }
    }
  }
  const requests = requestsAbout(policies)
  const calls: ObservedCall[] = []
  for (const { service, port, isHttp } of targets.values()) {
    for (const [caller, { ips }] of callers) {
      const call = { caller, service, port, count: 0, ...(ips[0] === undefined ? {} : { address: ips[0] }) }
      for (const request of isHttp ? requests : [{}]) {
        if (calls.length >= limit) return { calls, isCut: true }
        calls.push({ ...call, ...request })
      }
    }
  }
  return { calls, isCut: false }
}

interface Request {
  readonly method: string
  readonly path: string
}

/** `GET /`, and one that a rule is about for each combination of method and path that it names. */
export function requestsAbout(policies: readonly TrafficPolicy[]): readonly Request[] {
  const matches = policies.flatMap(({ type, rules = [] }) =>
    type === 'MeshAuthorizationPolicy'
      ? rules.flatMap(({ conf }) => {
          const { rbac, dryRun } = conf as AuthorizationConf
          return [...rbac.deny, ...rbac.allow, ...dryRun.deny, ...dryRun.allow].flatMap((rule) => rule.requests)
        })
      : [],
  )
  const requests = new Map<string, Request>([['GET /', { method: 'GET', path: '/' }]])
  for (const match of matches) {
    for (const method of methodsOf(match)) {
      for (const path of pathsOf(match)) if (requests.size < MAX_REQUESTS) requests.set(`${method} ${path}`, { method, path })
    }
  }
  return [...requests.values()]
}

const methodsOf = ({ methods, notMethods = [] }: RequestMatch): readonly string[] =>
  methods?.length ? methods : [['GET', 'POST', 'PUT', 'DELETE'].find((method) => !notMethods.includes(method)) ?? 'PATCH']

function pathsOf({ paths, notPaths }: RequestMatch): readonly string[] {
  const examples = [...(paths ?? []), ...(notPaths ?? [])].flatMap(exampleOf)
  return examples.length > 0 ? examples : ['/']
}

/** A text that matches; of patterns nobody knows one. */
function exampleOf(match: StringMatch): readonly string[] {
  if ('exact' in match) return [match.exact]
  if ('prefix' in match) return [match.prefix]
  const part = 'suffix' in match ? match.suffix : 'contains' in match ? match.contains : undefined
  return part === undefined ? [] : [part.startsWith('/') ? part : `/${part}`]
}
