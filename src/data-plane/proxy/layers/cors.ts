import { compileAny } from '../../../policy/traffic/evaluate/index.ts'
import type { CorsFilter } from '../../../policy/traffic/model/index.ts'
import type { Exchange, Layer } from '../contract.ts'
import { stateOf } from './request-state.ts'

/**
 * Answers preflight requests and marks the responses to others' scripts as readable. What comes from an origin that is not allowed goes on without a mark, and
 * its preflight gets none: the browser refuses it. Source: Fetch standard, 3.2 (CORS protocol); Gateway API, HTTPCORSFilter.
 */
export function createCorsLayer(filter: CorsFilter): Layer {
  const isAllowed = compileAny(filter.allowOrigins) ?? (() => false)
  return (inner) => (exchange) => {
    const { headers, method } = exchange.request
    const origin = headers.get('origin')
    if (origin === undefined) return inner(exchange)
    const asked = headers.get('access-control-request-method')
    const isPreflight = method === 'OPTIONS' && asked !== undefined
    if (!isAllowed(origin)) return isPreflight ? refuse(exchange) : inner(exchange)
    if (isPreflight) return preflight(exchange, filter, origin, asked)
    const state = stateOf(exchange)
    for (const [name, value] of marks(filter, origin)) state.addResponseHeader(name, value)
    inner(exchange)
  }
}

function marks(filter: CorsFilter, origin: string): [string, string][] {
  const out: [string, string][] = [
    ['access-control-allow-origin', origin],
    ['vary', 'origin'],
  ]
  if (filter.allowCredentials) out.push(['access-control-allow-credentials', 'true'])
  if (filter.exposeHeaders.length > 0) out.push(['access-control-expose-headers', filter.exposeHeaders.join(', ')])
  return out
}

function refuse(exchange: Exchange): void {
  exchange.respond({ status: 200, details: 'cors_preflight', headers: [{ name: 'vary', value: 'origin' }] })
}

function preflight(exchange: Exchange, filter: CorsFilter, origin: string, asked: string): void {
  const wanted = exchange.request.headers.get('access-control-request-headers')
  const out = marks(filter, origin)
  const methods = filter.allowMethods.includes('*') ? [filter.allowCredentials ? asked : '*'] : filter.allowMethods
  const names = filter.allowHeaders.includes('*') ? [filter.allowCredentials ? wanted : '*'] : filter.allowHeaders
  if (methods.length > 0) out.push(['access-control-allow-methods', methods.join(', ')])
  if (names.length > 0 && names[0] !== undefined) out.push(['access-control-allow-headers', names.join(', ')])
  if (filter.maxAgeS !== undefined) out.push(['access-control-max-age', String(filter.maxAgeS)])
  exchange.respond({ status: 200, details: 'cors_preflight', headers: out.map(([name, value]) => ({ name, value })) })
}
