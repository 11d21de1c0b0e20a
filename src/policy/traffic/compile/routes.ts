import { mergeRoutes, type RoutedMatch } from '../gateway-api/merge-routes.ts'
import type { MeshServiceView, ServicePortView, TrafficRoute, TrafficRule } from '../input/index.ts'
import { serviceKey } from '../input/index.ts'
import {
  originName,
  type ForwardAction,
  type HttpFilter,
  type Origin,
  type Route,
  type RouteAction,
  type VirtualHost,
} from '../model/index.ts'
import type { ClusterMaker } from './clusters.ts'
import type { Collector } from './compiled.ts'
import type { Effects } from './effects.ts'

/** Where a route without backends of its own leads, and whose policies hold for it. */
export interface RouteTarget {
  readonly service: MeshServiceView
  readonly port: ServicePortView
}

export interface RouteParts {
  readonly effects: Effects
  readonly clusters: ClusterMaker
  readonly out: Collector
}

/** Virtual hosts of some routes; `own`: the service they stand before, absent for gateways. */
export function virtualHosts(
  routes: readonly TrafficRoute[],
  parts: RouteParts,
  options: { readonly own?: RouteTarget; readonly hostname?: string; readonly origins: Set<Origin> },
): VirtualHost[] {
  const { own, hostname, origins } = options
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
        () => void made.push(compileRoute(matched, parts, own, origins)),
      )
      return made
    }),
  }))
}

const ruleName = ({ rule, ruleIndex }: RoutedMatch): string => rule.name ?? String(ruleIndex)

function compileRoute(matched: RoutedMatch, parts: RouteParts, own: RouteTarget | undefined, origins: Set<Origin>): Route {
  const { route, rule, match, matchIndex } = matched
  const { origin } = route
  origins.add(origin)
  const name = `${originName(origin)}/${ruleName(matched)}${rule.matches.length > 1 ? `/${matchIndex}` : ''}`
  const filters: HttpFilter[] = [...(rule.filters ?? []), ...(rule.cors ? [rule.cors] : [])]
  const plain: Route = {
    name,
    origin,
    match,
    action: actionOf(rule, parts, own),
    ...(rule.requestHeaders ? { requestHeaders: rule.requestHeaders } : {}),
    ...(rule.responseHeaders ? { responseHeaders: rule.responseHeaders } : {}),
    ...(filters.length > 0 ? { filters } : {}),
  }
  const target = own ?? firstTarget(rule, parts)
  const changed = target ? parts.effects.route(plain, target.service, target.port, origins) : plain
  return withOwnWords(changed, rule)
}

function actionOf(rule: TrafficRule, { clusters }: RouteParts, own: RouteTarget | undefined): RouteAction {
  if (rule.redirect) return rule.redirect
  const weighted = rule.backends
    .filter(({ weight }) => weight > 0)
    .map((backend) => ({
      cluster: clusters.ofBackend(backend),
      weight: backend.weight,
      ...(backend.requestHeaders ? { requestHeaders: backend.requestHeaders } : {}),
      ...(backend.responseHeaders ? { responseHeaders: backend.responseHeaders } : {}),
    }))
  if (weighted.length === 0) {
    // without backends a rule of a service is about the service itself; one whose backends all have no weight leads nowhere
    if (!own || rule.backends.length > 0) return { type: 'direct', status: 500 }
    weighted.push({ cluster: clusters.ofPort(own.service, own.port), weight: 1 })
  }
  const mirrors = (rule.mirrors ?? []).map(({ backend, percentage }) => ({ cluster: clusters.ofBackend(backend), percentage }))
  return {
    type: 'forward',
    clusters: weighted,
    ...(rule.rewrite ? { rewrite: rule.rewrite } : {}),
    ...(mirrors.length > 0 ? { mirrors } : {}),
    ...(rule.session ? { session: rule.session } : {}),
  }
}

/** What a rule says itself counts more than policies. */
function withOwnWords(route: Route, { timeoutMs, perTryTimeoutMs, retry }: TrafficRule): Route {
  const { action } = route
  if (action.type !== 'forward' || (timeoutMs === undefined && perTryTimeoutMs === undefined && !retry)) return route
  const merged = { ...DEFAULT_RETRY, ...action.retry, ...retry, ...(perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs }) }
  const changed: ForwardAction = {
    ...action,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry || (perTryTimeoutMs !== undefined && action.retry) ? { retry: merged } : {}),
  }
  return { ...route, action: changed }
}

const DEFAULT_RETRY: NonNullable<ForwardAction['retry']> = {
  on: ['5xx', 'reset', 'connect-failure', 'refused-stream'],
  attempts: 1,
  backOff: { baseMs: 25, maxMs: 250 },
}

function firstTarget(rule: TrafficRule, { effects }: RouteParts): RouteTarget | undefined {
  for (const backend of rule.backends) {
    const service = effects.world.services.get(serviceKey(backend.namespace, backend.name))
    const port = service?.ports.find((one) => one.port === backend.port)
    if (service && port && !backend.invalid) return { service, port }
  }
  return undefined
}

/** The route to the service itself, for what no other takes. */
export function defaultRoute(target: RouteTarget, { effects, clusters }: RouteParts, origins: Set<Origin>): Route {
  const cluster = clusters.ofPort(target.service, target.port)
  const route: Route = { name: 'default', match: {}, action: { type: 'forward', clusters: [{ cluster, weight: 1 }] } }
  return effects.route(route, target.service, target.port, origins)
}
