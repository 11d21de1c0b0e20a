import type { ForwardAction, Route, RouteConfiguration } from '../../../policy/traffic/model/index.ts'
import { routeFilters } from '../envoy/http-filter.ts'
import { routeMatch } from '../envoy/match.ts'
import { nonEmpty, type Json, type Note } from '../envoy/resource.ts'
import { supportedFilters } from './listener.ts'

/** Routes for gRPC clients. Source: gRFC A28, A31, A44. */
export function routeConfiguration(routes: RouteConfiguration, note: Note): Json {
  return {
    name: routes.name,
    virtual_hosts: routes.virtualHosts.map((host) => ({
      name: host.name,

      domains: host.domains,
      routes: host.routes.flatMap((route) => routeOf(route, note)),
    })),
  }
}

function routeOf(route: Route, note: Note): readonly Json[] {
  const { action } = route
  if (action.type !== 'forward') {
    note(`route ${route.name}: gRPC follows no redirects and gives no direct answers; calls that match it fail`)
    return [{ name: route.name, match: matchOf(route), non_forwarding_action: {} }]
  }
  if (route.match.query) note(`route ${route.name}: gRPC has no query parameters; the route never matches`)
  if (route.match.query) return []
  for (const [field, what] of [
    ['rewrite', 'rewrites'],
    ['mirrors', 'mirrors'],
    ['session', 'sessions by header'],
  ] as const) {
    if (action[field] !== undefined && !(Array.isArray(action[field]) && action[field].length === 0))
      note(`route ${route.name}: gRPC knows no ${what}`)
  }
  if (route.requestHeaders ?? route.responseHeaders) note(`route ${route.name}: gRPC changes no headers`)
  return [
    {
      name: route.name,
      match: matchOf(route),
      route: forward(action, route.name, note),
      typed_per_filter_config: routeFilters(supportedFilters(route.filters ?? [], note), [], note),
    },
  ]
}

/** gRPC matches no whole segments: both spellings of such a prefix are one regular expression. */
function matchOf({ match }: Route): Json {
  const { grpc: _grpc, query_parameters: _query, path_separated_prefix: segments, ...rest } = routeMatch(match)
  if (typeof segments !== 'string') return rest['prefix'] === '/' ? { ...rest, prefix: '' } : rest
  return { ...rest, safe_regex: { regex: `${segments.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}(/.*)?` } }
}

const RETRY: Readonly<Record<string, string>> = {
  'grpc-cancelled': 'cancelled',
  'grpc-deadline-exceeded': 'deadline-exceeded',
  'grpc-internal': 'internal',
  'grpc-resource-exhausted': 'resource-exhausted',
  'grpc-unavailable': 'unavailable',
}

function forward(action: ForwardAction, name: string, note: Note): Json {
  const [first] = action.clusters
  const { retry } = action
  const on = [
    ...new Set(
      (retry?.on ?? []).flatMap(
        (reason) => RETRY[reason] ?? (reason === '5xx' || reason === 'connect-failure' || reason === 'reset' ? ['unavailable'] : []),
      ),
    ),
  ]
  if (retry?.budget) note(`route ${name}: gRPC's retry budgets come with the service config, not by xDS`)
  if (retry?.perTryTimeoutMs) note(`route ${name}: gRPC knows no timeout for each try`)
  return {
    ...(action.clusters.length === 1 && first
      ? { cluster: first.cluster }
      : { weighted_clusters: { clusters: action.clusters.map(({ cluster, weight }) => ({ name: cluster, weight })) } }),
    // a timeout of the route would be ignored; this one is read
    max_stream_duration: { max_stream_duration: action.maxStreamDurationMs ?? action.timeoutMs ?? 15_000 },
    retry_policy:
      retry && on.length > 0 && retry.attempts > 0
        ? {
            retry_on: on.join(','),
            num_retries: retry.attempts,
            retry_back_off: {
              base_interval: Math.max(1, retry.backOff.baseMs),
              max_interval: Math.max(1, retry.backOff.baseMs, retry.backOff.maxMs),
            },
          }
        : undefined,
    hash_policy: nonEmpty(
      (action.hash ?? []).flatMap((hash) => {
        if (hash.type === 'header') return [{ header: { header_name: hash.name }, terminal: hash.terminal === true }]
        note(`route ${name}: gRPC hashes headers, not ${hash.type}`)
        return []
      }),
    ),
  }
}
