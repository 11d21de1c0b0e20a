import { modifyHeaders } from '../../../policy/traffic/evaluate/index.ts'
import type { HttpConnectionManager } from '../../../policy/traffic/model/index.ts'
import type { ExchangeSummary, Layer, ResponseHead } from '../contract.ts'
import type { AccessLogger } from '../telemetry/access-logger.ts'
import type { HttpStats } from '../telemetry/stats.ts'
import { RequestState } from './request-state.ts'

/**
 * Makes the state of the exchange, counts it, and in the end logs it. The only layer that hooks into every exchange: two closures for each, whatever the
 * layers inside want done to the response.
 * @param loggers of the access logs; none: nothing is written down
 */
export function createBeginLayer(manager: HttpConnectionManager, stats: HttpStats, loggers: readonly AccessLogger[]): Layer {
  const { table } = stats
  return (inner) => (exchange) => {
    const state = new RequestState(exchange, manager, loggers.length > 0)
    exchange.layerState = state
    table.inc(stats.requests)
    table.inc(exchange.connection.protocol === 'http2' ? stats.http2 : stats.http1)
    table.add(stats.active, 1)
    exchange.onResponse((head) => finishHead(state, head, loggers))
    exchange.onEnd((summary) => finish(state, summary, stats, loggers))
    inner(exchange)
  }
}

function finishHead(state: RequestState, head: ResponseHead, loggers: readonly AccessLogger[]): void {
  const { clusterModifier, routeModifier, responseHeaders, manager } = state
  if (clusterModifier) modifyHeaders(head.headers, clusterModifier)
  if (routeModifier) modifyHeaders(head.headers, routeModifier)
  if (responseHeaders) for (const { name, value } of responseHeaders) head.headers.append(name, value)
  if (manager.serverName !== undefined && !head.headers.has('server')) head.headers.set('server', manager.serverName)
  for (const logger of loggers) logger.capture(state, head)
}

function finish(state: RequestState, summary: ExchangeSummary, stats: HttpStats, loggers: readonly AccessLogger[]): void {
  const { table } = stats
  state.ended = true
  state.onEnd?.()
  table.add(stats.active, -1)
  if (summary.status !== undefined) {
    table.inc(stats.completed)
    stats.response(summary.status)
  }
  if (summary.flags.size > 0) {
    if (summary.flags.has('DC')) table.inc(stats.rxReset)
    if (summary.flags.has('UT') || summary.flags.has('SI') || summary.flags.has('UMSDR')) table.inc(stats.timeout)
    if (state.cluster && summary.flags.has('UT')) table.inc(state.cluster.stats.timeout)
  }
  table.observe(stats.time, summary.durationMs)
  for (const logger of loggers) logger.write(state, summary)
  state.exchange.layerState = undefined
}
