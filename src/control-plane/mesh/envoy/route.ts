import {
  type ForwardAction,
  type HashPolicy,
  type HttpFilter,
  type RedirectAction,
  type Rewrite,
  type Route,
  type RouteConfiguration,
  type RouteMatch,
} from '../../../policy/traffic/model/index.ts'
import { SESSION_FILTER } from './http.ts'
import { everywhereFilters, routeFilters } from './http-filter.ts'
import { headerChanges, hostOf, quoteRegex, routeMatch } from './match.ts'
import { any, nonEmpty, percent, type Json, type Note } from './resource.ts'
import { retryPolicy } from './retry.ts'

/** Routes for Envoy. `chains`: the filters of the connection managers that use them (routes say what replaces those). */
export function routeConfiguration(routes: RouteConfiguration, chains: readonly HttpFilter[], note: Note): Json {
  return {
    name: routes.name,
    ignore_port_in_host_matching: true,
    typed_per_filter_config: everywhereFilters(chains),
    virtual_hosts: routes.virtualHosts.map((host) => ({
      name: host.name,
      domains: host.domains,
      routes: host.routes.map((route) => routeOf(route, chains, note)),
    })),
  }
}

function routeOf(route: Route, chains: readonly HttpFilter[], note: Note): Json {
  const { action } = route
  return {
    name: route.name,
    match: routeMatch(route.match),
    ...headerChanges(route.requestHeaders, route.responseHeaders),
    typed_per_filter_config: {
      ...routeFilters(route.filters ?? [], chains, note),
      ...(action.type === 'forward' && action.session ? { [SESSION_FILTER]: session(action.session) } : {}),
    },
    ...(action.type === 'forward'
      ? { route: forward(action, route, note) }
      : action.type === 'redirect'
        ? { redirect: redirect(action, route.match) }
        : { direct_response: { status: action.status, body: action.body === undefined ? undefined : { inline_string: action.body } } }),
  }
}

function forward(action: ForwardAction, { match, name, requestHeaders }: Route, note: Note): Json {
  const [first] = action.clusters
  const single = action.clusters.length === 1 && first && !first.requestHeaders && !first.responseHeaders ? first : undefined
  const host = action.rewrite?.host ?? hostOf(requestHeaders)
  return {
    ...(single
      ? { cluster: single.cluster }
      : {
          weighted_clusters: {
            clusters: action.clusters.map((one) => ({
              name: one.cluster,
              weight: one.weight,
              ...headerChanges(one.requestHeaders, one.responseHeaders),
              host_rewrite_literal: hostOf(one.requestHeaders),
            })),
          },
        }),
    cluster_not_found_response_code: 'INTERNAL_SERVER_ERROR',
    ...rewritePath(action.rewrite?.path, match),
    host_rewrite_literal: host,
    timeout: action.timeoutMs ?? 15_000,
    idle_timeout: action.idleTimeoutMs,
    max_stream_duration: action.maxStreamDurationMs ? { max_stream_duration: action.maxStreamDurationMs } : undefined,
    retry_policy: action.retry ? retryPolicy(action.retry, name, note) : undefined,
    request_mirror_policies: nonEmpty(
      (action.mirrors ?? []).map(({ cluster, percentage }) => ({
        cluster,
        runtime_fraction: { default_value: percent(percentage) },
        disable_shadow_host_suffix_append: true,
      })),
    ),
    hash_policy: nonEmpty((action.hash ?? []).map((hash) => hashPolicy(hash))),
    upgrade_configs: action.upgrades === false ? [{ upgrade_type: 'websocket', enabled: false }] : undefined,
  }
}

function hashPolicy(hash: HashPolicy): Json {
  const terminal = hash.terminal === true
  switch (hash.type) {
    case 'header':
      return { header: { header_name: hash.name }, terminal }
    case 'cookie':
      return { cookie: { name: hash.name, ttl: hash.ttlMs, path: hash.path }, terminal }
    case 'query':
      return { query_parameter: { name: hash.name }, terminal }
    case 'sourceIp':
      return { connection_properties: { source_ip: true }, terminal }
  }
}

/** Backslashes refer to groups. */
const substitution = (text: string): string => text.replaceAll('\\', String.raw`\\`)

function rewritePath(path: Rewrite['path'], match: RouteMatch): Json {
  if (!path) return {}
  if (path.type === 'full') return { regex_rewrite: { pattern: { regex: '^.*$' }, substitution: substitution(path.value) } }
  const matched = match.path ?? { pathPrefix: '/' }
  if ('prefix' in matched) return { prefix_rewrite: path.value }
  const prefix = ('pathPrefix' in matched ? matched.pathPrefix : 'exact' in matched ? matched.exact : '/').replace(/\/+$/, '')
  const value = path.value.replace(/\/+$/, '')
  // Envoy puts the new prefix before the rest as it is: /a -> / would make //b of /a/b, and / -> /x would make /xb of /b
  if (prefix === '')
    return value === '' ? {} : { regex_rewrite: { pattern: { regex: '^/(.*)$' }, substitution: `${substitution(value)}/\\1` } }
  if (value === '') return { regex_rewrite: { pattern: { regex: `^${quoteRegex(prefix)}/?(.*)$` }, substitution: String.raw`/\1` } }
  return { regex_rewrite: { pattern: { regex: `^${quoteRegex(prefix)}(/.*)?$` }, substitution: `${substitution(value)}\\1` } }
}

const REDIRECT_CODE = {
  301: 'MOVED_PERMANENTLY',
  302: 'FOUND',
  303: 'SEE_OTHER',
  307: 'TEMPORARY_REDIRECT',
  308: 'PERMANENT_REDIRECT',
} as const

/** Whether a client that is sent there goes to this port by itself. Without a scheme it is the one it has come by: 80 is nobody's but HTTP's. */
const isDefaultPort = ({ scheme, port }: RedirectAction): boolean =>
  (port === 80 && scheme !== 'https') || (port === 443 && scheme === 'https')

function redirect(action: RedirectAction, match: RouteMatch): Json {
  const rewritten = action.path?.type === 'full' ? { path_redirect: action.path.value } : rewritePath(action.path, match)
  return {
    scheme_redirect: action.scheme,
    host_redirect: action.host,
    // Envoy would write it out
    port_redirect: isDefaultPort(action) ? undefined : action.port,
    ...rewritten,
    response_code: REDIRECT_CODE[action.status],
  }
}

function session({ type, name, ttlMs }: NonNullable<ForwardAction['session']>): Json {
  const state = 'envoy.extensions.http.stateful_session.'
  const typed_config =
    type === 'cookie'
      ? any(`${state}cookie.v3.CookieBasedSessionState`, { cookie: { name, ttl: ttlMs, path: '/' } })
      : any(`${state}header.v3.HeaderBasedSessionState`, { name })
  return any('envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute', {
    stateful_session: { session_state: { name: `envoy.http.stateful_session.${type}`, typed_config } },
  })
}
