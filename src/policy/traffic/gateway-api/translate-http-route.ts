import { parseGatewayDuration } from '../../../api/gateway.networking.k8s.io/v1/gateway-duration.ts'
import type { HTTPNameMatch, HTTPRoute, HTTPRouteMatch, HTTPRouteRule } from '../../../api/gateway.networking.k8s.io/v1/http-route.ts'
import type { SessionPersistence } from '../../../api/gateway.networking.k8s.io/v1/session-persistence.ts'
import type { TrafficRule } from '../input/route.ts'
import type { HeaderMatch, PathMatch, RouteMatch, StringMatch } from '../model/index.ts'
import { translateBackend, type RouteContext } from './translate-backends.ts'
import { translateFilters } from './translate-filters.ts'

/** Rules of an HTTPRoute. Source: Gateway API, HTTPRouteRule. */
export function translateHttpRules({ spec }: HTTPRoute, context: RouteContext): TrafficRule[] {
  return (spec.rules ?? []).map((rule) => translateRule(rule, context))
}

function translateRule(rule: HTTPRouteRule, context: RouteContext): TrafficRule {
  const timeoutMs = parseGatewayDuration(rule.timeouts?.request)
  const perTryTimeoutMs = parseGatewayDuration(rule.timeouts?.backendRequest)
  const session = translateSession(rule.sessionPersistence)
  return {
    ...(rule.name ? { name: rule.name } : {}),
    matches: (rule.matches ?? []).map(translateMatch),
    backends: (rule.backendRefs ?? []).map((backend) => translateBackend(context, backend)),
    ...translateFilters(context, rule.filters),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs }),
    ...(rule.retry ? { retry: translateRetry(rule.retry) } : {}),
    ...(session ? { session } : {}),
  }
}

function translateMatch({ path, headers, queryParams, method }: HTTPRouteMatch): RouteMatch {
  return {
    path: translatePath(path?.type, path?.value ?? '/'),
    ...(method ? { method } : {}),
    ...(headers?.length ? { headers: translateHeaders(headers) } : {}),
    ...(queryParams?.length ? { query: queryParams.map((one) => ({ name: one.name, value: valueMatch(one) })) } : {}),
  }
}

function translatePath(type: string | undefined, value: string): PathMatch {
  if (type === 'Exact') return { exact: value }
  if (type === 'RegularExpression') return { regex: value }
  // `/a/` and `/a` are the same prefix
  return { pathPrefix: value.length > 1 ? value.replace(/\/$/, '') : value }
}

/** Of several with the same name only the first counts. */
export function translateHeaders(headers: readonly HTTPNameMatch[]): HeaderMatch[] {
  const lower = headers.map((one) => ({ name: one.name.toLowerCase(), value: valueMatch(one) }))
  return lower.filter(({ name }, i) => lower.findIndex((other) => other.name === name) === i)
}

function valueMatch({ type, value }: HTTPNameMatch): StringMatch {
  return type === 'RegularExpression' ? { regex: value } : { exact: value }
}

// a failed connection is always tried again, whatever codes are asked for. Source: GEP-1731
function translateRetry({ codes, attempts = 1, backoff }: NonNullable<HTTPRouteRule['retry']>): NonNullable<TrafficRule['retry']> {
  const baseMs = parseGatewayDuration(backoff)
  return {
    on: ['connect-failure', 'refused-stream', 'reset', ...(codes?.length ? ['retriable-status-codes' as const] : [])],
    ...(codes?.length ? { statusCodes: codes } : {}),
    attempts,
    ...(baseMs ? { backOff: { baseMs, maxMs: 10 * baseMs } } : {}),
  }
}

/** Name of the cookie where the route gives none. */
const SESSION_COOKIE = 'biplane-session'

export function translateSession(session: SessionPersistence | undefined): TrafficRule['session'] {
  if (!session) return undefined
  if (session.type === 'Header') return session.header && { type: 'header', name: session.header.name.toLowerCase() }
  const ttlMs = session.cookie?.lifetimeType === 'Permanent' ? parseGatewayDuration(session.absoluteTimeout) : undefined
  return { type: 'cookie', name: session.cookie?.name ?? SESSION_COOKIE, ...(ttlMs === undefined ? {} : { ttlMs }) }
}
