import { modifyHeaders, redirectLocation, rewritePath } from '../../../policy/traffic/evaluate/index.ts'
import type { DirectResponse, ForwardAction, HeaderModifier, RedirectAction, Route } from '../../../policy/traffic/model/index.ts'
import type { Exchange, Layer, Service } from '../contract.ts'
import type { HttpStats } from '../telemetry/stats.ts'
import { stateOf } from './request-state.ts'

/** Headers, host and path as the route wants them. The path that the client sent stays in `x-envoy-original-path`. Nothing to do: no layer. */
export function createChangeLayer(route: Route, action: ForwardAction): Layer {
  const { requestHeaders, responseHeaders, match } = route
  const { rewrite } = action
  if (!requestHeaders && !responseHeaders && !rewrite) return (inner) => inner
  return (inner) => (exchange) => {
    const { request } = exchange
    if (responseHeaders) stateOf(exchange).routeModifier = responseHeaders
    if (rewrite?.path) {
      const path = rewritePath(request.path, match.path, rewrite.path)
      if (path !== request.path) {
        request.headers.set('x-envoy-original-path', request.path)
        request.path = path
      }
    }
    if (rewrite?.host !== undefined) request.authority = rewrite.host
    if (requestHeaders) modifyRequest(exchange, requestHeaders)
    inner(exchange)
  }
}

/** A `host` that is set is the authority. */
export function modifyRequest({ request }: Exchange, modifier: HeaderModifier): void {
  const host = modifier.set?.find(({ name }) => name === 'host' || name === ':authority')
  if (host) request.authority = host.value
  modifyHeaders(request.headers, host ? { ...modifier, set: (modifier.set ?? []).filter((one) => one !== host) } : modifier)
}

/** Sends clients elsewhere. */
export function createRedirectService(route: Route, action: RedirectAction, stats: HttpStats): Service {
  return (exchange) => {
    const { connection, request } = exchange
    if (route.responseHeaders) stateOf(exchange).routeModifier = route.responseHeaders
    stats.table.inc(stats.redirect)
    const value = redirectLocation(request, (connection.original ?? connection.local).port, route.match.path, action)
    exchange.respond({ status: action.status, headers: [{ name: 'location', value }], details: 'direct_response' })
  }
}

export function createDirectService(route: Route, action: DirectResponse, stats: HttpStats): Service {
  const reply = { status: action.status, details: 'direct_response', ...(action.body === undefined ? {} : { body: action.body }) }
  return (exchange) => {
    if (route.responseHeaders) stateOf(exchange).routeModifier = route.responseHeaders
    stats.table.inc(stats.direct)
    exchange.respond(reply)
  }
}
