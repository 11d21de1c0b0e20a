import type { GRPCRoute, GRPCRouteMatch } from '../../../api/gateway.networking.k8s.io/v1/grpc-route.ts'
import type { TrafficRule } from '../input/route.ts'
import type { PathMatch, RouteMatch } from '../model/index.ts'
import { translateBackend, type RouteContext } from './translate-backends.ts'
import { escapeRegex } from './escape-regex.ts'
import { translateFilters } from './translate-filters.ts'
import { translateHeaders, translateSession } from './translate-http-route.ts'

/** Rules of a GRPCRoute: service and method are the two segments of the path. Source: Gateway API, GRPCRouteRule; gRPC over HTTP/2. */
export function translateGrpcRules({ spec }: GRPCRoute, context: RouteContext): TrafficRule[] {
  return (spec.rules ?? []).map((rule) => {
    const session = translateSession(rule.sessionPersistence)
    return {
      ...(rule.name ? { name: rule.name } : {}),
      matches: rule.matches?.length ? rule.matches.map(translateMatch) : [{ grpc: true }],
      backends: (rule.backendRefs ?? []).map((backend) => translateBackend(context, backend)),
      ...translateFilters(context, rule.filters),
      ...(session ? { session } : {}),
    }
  })
}

function translateMatch({ method, headers }: GRPCRouteMatch): RouteMatch {
  const path = method && translateMethod(method)
  return { grpc: true, ...(path ? { path } : {}), ...(headers?.length ? { headers: translateHeaders(headers) } : {}) }
}

function translateMethod({ type, service, method }: NonNullable<GRPCRouteMatch['method']>): PathMatch | undefined {
  if (!service && !method) return undefined
  if (type === 'RegularExpression') {
    return { regex: `/${service ? `(?:${service})` : '[^/]+'}/${method ? `(?:${method})` : '[^/]+'}` }
  }
  if (service && method) return { exact: `/${service}/${method}` }
  if (service) return { prefix: `/${service}/` }
  return { regex: `/[^/]+/${escapeRegex(method as string)}` }
}
