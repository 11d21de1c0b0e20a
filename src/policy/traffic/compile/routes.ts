import { mergeRoutes, type RoutedMatch } from '../gateway-api/merge-routes.ts'
import type { MeshServiceView, ServicePortView, TrafficRoute, TrafficRule } from '../input/index.ts'
import {
  INVALID_CLUSTER,
  originName,
  type Endpoint,
  type ForwardAction,
  type HttpFilter,
  type Origin,
  type RedirectAction,
  type Route,
  type Rewrite,
  type RouteAction,
  type TcpProxy,
  type VirtualHost,
} from '../model/index.ts'
import type { ClusterMaker } from './clusters.ts'
import { compileRouteMatch } from '../evaluate/routes.ts'
import type { Collector } from './compiled.ts'
import type { Effects } from './effects.ts'

/** Where a route without backends of its own leads, and whose policies hold for it. */
export interface RouteTarget {
  readonly service: MeshServiceView
  readonly port: ServicePortView
  /** Of a headless service: what was dialled. */
  readonly endpoint?: Endpoint
}

export interface RouteParts {
  readonly effects: Effects
  readonly clusters: ClusterMaker
  readonly out: Collector
}

export interface RouteOptions {
  /** The service that routes stand before; absent for gateways. */
  readonly own?: RouteTarget
  /** Of the listener, as clients dial it; absent for services. */
  readonly gatewayPort?: number
  readonly origins: Set<Origin>
}

/** Virtual hosts of some routes. */
export function virtualHosts(
  routes: readonly TrafficRoute[],
  parts: RouteParts,
  options: RouteOptions & { readonly hostname?: string },
): VirtualHost[] {
  const { hostname } = options
  const { hosts, findings } = mergeRoutes(routes, hostname)
  parts.out.findings.push(...findings)
  return hosts.map(({ hostname: host, matches }) => ({
    name: host,
    domains: [host],
    routes: matches.flatMap((matched) => {
      const made: Route[] = []
      parts.out.guard(
        () => [matched.route.origin],
        `rule ${ruleName(matched)}`,
        () => void made.push(compileRoute(matched, parts, options)),
      )
      return made
    }),
  }))
}

const ruleName = ({ rule, ruleIndex }: RoutedMatch): string => rule.name ?? String(ruleIndex)

function compileRoute(matched: RoutedMatch, parts: RouteParts, { own, gatewayPort, origins }: RouteOptions): Route {
  const { route, rule, match, matchIndex } = matched
  const { origin } = route
  origins.add(origin)
  // a pattern that is none would make every proxy refuse the whole table
  compileRouteMatch(match)
  const name = `${originName(origin)}/${ruleName(matched)}${rule.matches.length > 1 ? `/${matchIndex}` : ''}`
  // browsers speak HTTP/2 to gateways, and most backends none of it. Source: Gateway API, GEP-1911
  const plainHttp = gatewayPort !== undefined && route.kind === 'http'
  const filters: HttpFilter[] = [...(rule.filters ?? []), ...(rule.cors ? [rule.cors] : [])]
  const plain: Route = {
    name,
    origin,
    match,
    action: rule.redirect ? redirectOf(rule.redirect, gatewayPort) : actionOf(rule, parts, own, plainHttp),
    ...(rule.requestHeaders ? { requestHeaders: rule.requestHeaders } : {}),
    ...(rule.responseHeaders ? { responseHeaders: rule.responseHeaders } : {}),
    ...(filters.length > 0 ? { filters } : {}),
  }
  const target = own ?? firstTarget(rule, parts)
  const changed = target ? parts.effects.route(plain, target.service, target.port, origins, route.labels) : plain
  return withOwnWords(changed, rule)
}

/** The port that a gateway's clients know is not the one that its pod listens on. Source: Gateway API, HTTPRequestRedirectFilter.port. */
function redirectOf(redirect: RedirectAction, gatewayPort: number | undefined): RedirectAction {
  if (gatewayPort === undefined || redirect.port !== undefined || redirect.scheme !== undefined) return redirect
  return { ...redirect, port: gatewayPort }
}

function actionOf(rule: TrafficRule, { clusters }: RouteParts, own: RouteTarget | undefined, plainHttp: boolean): RouteAction {
  const weighted = rule.backends
    .filter(({ weight }) => weight > 0)
    .map((backend) => ({
      cluster: clusters.ofBackend(backend, plainHttp),
      weight: backend.weight,
      ...(backend.requestHeaders ? { requestHeaders: backend.requestHeaders } : {}),
      ...(backend.responseHeaders ? { responseHeaders: backend.responseHeaders } : {}),
    }))
  if (weighted.length === 0) {
    // without backends a rule of a service is about the service itself; one whose backends all have no weight leads nowhere
    if (!own || rule.backends.length > 0) return { type: 'direct', status: 500 }
    weighted.push({ cluster: ownCluster(own, clusters), weight: 1 })
  }
  // a mirror that cannot be used is none: requests themselves are not touched
  const mirrors = (rule.mirrors ?? [])
    .map(({ backend, percentage }) => ({ cluster: clusters.ofBackend(backend, plainHttp), percentage }))
    .filter(({ cluster }) => cluster !== INVALID_CLUSTER)
  return {
    type: 'forward',
    clusters: weighted,
    ...withHost(rule.rewrite, externalHost(rule.backends.length > 0 ? rule.backends.map((backend) => clusters.find(backend)) : [own])),
    ...(mirrors.length > 0 ? { mirrors } : {}),
    ...(rule.session ? { session: rule.session } : {}),
  }
}

/** Whom bytes are passed on to. */
export function weightedBackends(backends: TrafficRule['backends'], clusters: ClusterMaker): TcpProxy['clusters'] {
  return backends.filter(({ weight }) => weight > 0).map((backend) => ({ name: clusters.ofBackend(backend), weight: backend.weight }))
}

/** What a rule says itself counts more than policies. */
function withOwnWords(route: Route, { timeoutMs, perTryTimeoutMs, retry }: TrafficRule): Route {
  const { action } = route
  if (action.type !== 'forward' || (timeoutMs === undefined && perTryTimeoutMs === undefined && !retry)) return route
  const merged = { ...DEFAULT_RETRY, ...action.retry, ...retry, ...(perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs }) }
  const whole = timeoutMs ?? action.timeoutMs
  // where nothing is tried again the time of one try is all there is
  const isOneTry = !retry && !action.retry && perTryTimeoutMs
  const limit = isOneTry && (!whole || perTryTimeoutMs < whole) ? perTryTimeoutMs : timeoutMs
  const changed: ForwardAction = {
    ...action,
    ...(limit === undefined ? {} : { timeoutMs: limit }),
    ...(retry || (perTryTimeoutMs !== undefined && action.retry) ? { retry: merged } : {}),
  }
  return { ...route, action: changed }
}

const DEFAULT_RETRY: NonNullable<ForwardAction['retry']> = {
  on: ['5xx', 'reset', 'connect-failure', 'refused-stream'],
  attempts: 1,
  backOff: { baseMs: 25, maxMs: 250 },
}

/** Whose policies hold for a rule of a gateway: those of its first backend that there is. */
export function firstTarget(rule: TrafficRule | undefined, { clusters }: RouteParts): RouteTarget | undefined {
  for (const backend of rule?.backends ?? []) {
    const found = backend.invalid ? undefined : clusters.find(backend)
    if (found) return found
  }
  return undefined
}

/** The cluster of a service itself, or of the endpoint of it that was dialled. */
export function ownCluster({ service, port, endpoint }: RouteTarget, clusters: ClusterMaker): string {
  return endpoint ? clusters.ofEndpoint(service, port, endpoint) : clusters.ofPort(service, port)
}

/** Servers outside know themselves by their own name, not by the mesh's name for them. Source: Kuma, MeshExternalService. */
function externalHost(targets: readonly (RouteTarget | undefined)[]): string | undefined {
  const hosts = targets.flatMap((target): readonly (string | undefined)[] => {
    const discovery = target?.service.external?.discovery
    return discovery?.type === 'dns' ? discovery.hosts.map(({ host }) => host) : [undefined]
  })
  return new Set(hosts).size === 1 ? hosts[0] : undefined
}

function withHost(rewrite: Rewrite | undefined, host: string | undefined): { readonly rewrite?: Rewrite } {
  if (host === undefined || rewrite?.host !== undefined) return rewrite ? { rewrite } : {}
  return { rewrite: { ...rewrite, host } }
}

/** The route to the service itself, for what no other takes. */
export function defaultRoute(target: RouteTarget, { effects, clusters }: RouteParts, origins: Set<Origin>): Route {
  const cluster = ownCluster(target, clusters)
  const action: RouteAction = { type: 'forward', clusters: [{ cluster, weight: 1 }], ...withHost(undefined, externalHost([target])) }
  const route: Route = { name: 'default', match: {}, action }
  return effects.route(route, target.service, target.port, origins)
}
