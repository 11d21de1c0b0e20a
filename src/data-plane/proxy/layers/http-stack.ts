import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { compileRouteConfiguration, type Claims } from '../../../policy/traffic/evaluate/index.ts'
import type {
  ExtAuthzFilter,
  GrpcJsonFilter,
  HttpConnectionManager,
  HttpFilter,
  JwtFilter,
  Route,
  RouteConfiguration,
  Tracing,
} from '../../../policy/traffic/model/index.ts'
import type { ClusterManager } from '../clusters/index.ts'
import type { Exchange, Layer, Service } from '../contract.ts'
import type { AccessLogger } from '../telemetry/access-logger.ts'
import type { MetricTable } from '../telemetry/metric-table.ts'
import { httpStats, type HttpStats } from '../telemetry/stats.ts'
import { createRbacLayer } from './access.ts'
import { createBeginLayer } from './begin.ts'
import { createChangeLayer, createDirectService, createRedirectService } from './changes.ts'
import { createCorsLayer } from './cors.ts'
import { createFaultLayer } from './fault.ts'
import { createMirrorLayer, type StartMirror } from './mirror.ts'
import { createRateLimitLayer } from './rate-limit.ts'
import { createForwardedLayer, createRequestIdLayer } from './request-headers.ts'
import { stateOf } from './request-state.ts'
import { createRouter } from './router.ts'
import { createTimeoutLayer } from './timeouts.ts'

export interface HttpStackDeps {
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  readonly clusters: ClusterManager
  readonly metrics: MetricTable
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: Random
  /** A UUID. */
  readonly makeId: () => string
  /** SPIFFE ID of this proxy. */
  readonly identity: () => string | undefined
  /** Where the lines of the manager's access logs go. */
  readonly accessLoggers: readonly AccessLogger[]
  readonly createTracingLayer: (tracing: Tracing) => Layer
  /** Filters that ask others, or read bodies. */
  readonly createFilterLayer: (filter: JwtFilter | ExtAuthzFilter | GrpcJsonFilter) => Layer
  /** Claims of the token that a JWT filter has verified. */
  readonly claimsOf: (exchange: Exchange) => Claims | undefined
  readonly startMirror: StartMirror
}

const pass: Layer = (inner) => inner

/** Puts layers around a service; the first is the outermost. */
export function stack(layers: readonly Layer[], service: Service): Service {
  return layers.reduceRight((inner, layer) => layer(inner), service)
}

/**
 * Makes the service of an HTTP connection manager, once for each configuration of it and its routes; requests then meet no configuration any more.
 * @throws MatchError naming the route, rule or filter that cannot be executed
 */
export function buildHttpStack(manager: HttpConnectionManager, routes: RouteConfiguration | undefined, deps: HttpStackDeps): Service {
  const stats = httpStats(deps.metrics, manager.statPrefix)
  return stack(
    [
      // outermost: sees every exchange, counts and logs whatever answer the layers inside give
      createBeginLayer(manager, stats, deps.accessLoggers),
      // before anything that logs or traces by it
      createRequestIdLayer(deps.makeId),
      // before rules read headers: what a client claims about itself is gone
      createForwardedLayer(manager, deps.direction, deps.identity),
      // the span covers all that follows, waiting for other authorities too
      manager.tracing ? deps.createTracingLayer(manager.tracing) : pass,
      // before the first layer that may wait
      createTimeoutLayer(manager.timeouts),
    ],
    createRouteService(manager, routes, stats, deps),
  )
}

/** Looks the route up, and goes on with the filters and the action that were compiled for it. */
function createRouteService(
  manager: HttpConnectionManager,
  routes: RouteConfiguration | undefined,
  stats: HttpStats,
  deps: HttpStackDeps,
): Service {
  // a filter has one state (buckets, keys), whatever the number of routes that share it
  const layers = new Map<HttpFilter, Layer>()
  const layerOf = (filter: HttpFilter): Layer => {
    const layer = layers.get(filter) ?? createFilter(filter, stats, deps)
    layers.set(filter, layer)
    return layer
  }
  const own = manager.filters.map(layerOf)
  const table = compileRouteConfiguration<Service>(routes ?? { name: manager.routes, virtualHosts: [] }, (route) => {
    const filters = route.filters ? overridden(manager.filters, route.filters).map(layerOf) : own
    return stack(filters, createAction(route, stats, deps))
  })
  // who may not come in learns nothing about routes: filters judge first
  const noRoute = stack(own, (exchange) => {
    stats.table.inc(stats.noRoute)
    exchange.respond({ status: 404, flag: 'NR', details: 'route_not_found' })
  })
  return (exchange) => {
    const found = table.find(exchange.request)
    if (!found) return noRoute(exchange)
    stateOf(exchange).found = found
    found.attached(exchange)
  }
}

function createAction(route: Route, stats: HttpStats, deps: HttpStackDeps): Service {
  const { action } = route
  switch (action.type) {
    case 'redirect':
      return createRedirectService(route, action, stats)
    case 'direct':
      return createDirectService(route, action, stats)
    case 'forward':
      return stack(
        [
          // after all rules: they judge what the client sent
          createChangeLayer(route, action),
          // copies are of the request as it goes out
          createMirrorLayer(action.mirrors ?? [], deps.clusters, deps.startMirror, deps.random),
        ],
        // innermost: cluster, endpoint, retries
        createRouter(route, action, deps),
      )
  }
}

/** A route's filter takes the place of the chain's one of the same name and type; one that has no such place judges last. */
function overridden(chain: readonly HttpFilter[], own: readonly HttpFilter[]): readonly HttpFilter[] {
  const isSame = (a: HttpFilter, b: HttpFilter): boolean => a.name === b.name && a.type === b.type
  return [
    ...chain.map((filter) => own.find((one) => isSame(one, filter)) ?? filter),
    ...own.filter((one) => !chain.some((filter) => isSame(one, filter))),
  ]
}

function createFilter(filter: HttpFilter, stats: HttpStats, deps: HttpStackDeps): Layer {
  switch (filter.type) {
    case 'cors':
      return createCorsLayer(filter)
    case 'rbac':
      return createRbacLayer(filter.rbac, stats, deps.claimsOf)
    case 'rateLimit':
      return createRateLimitLayer(filter, stats, deps.clock)
    case 'fault':
      return createFaultLayer(filter, stats, deps.clock, deps.random)
    case 'jwt':
    case 'extAuthz':
    case 'grpcJson':
      return deps.createFilterLayer(filter)
  }
}
