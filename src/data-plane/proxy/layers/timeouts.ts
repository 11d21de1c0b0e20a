import type { HttpTimeouts } from '../../../policy/traffic/model/index.ts'
import type { Layer } from '../contract.ts'

/** Bounds of every stream of a connection manager; routes may set narrower ones later. */
export function createTimeoutLayer({ requestMs = 0, streamIdleMs = 300_000, maxStreamDurationMs = 0 }: HttpTimeouts): Layer {
  return (inner) => (exchange) => {
    if (requestMs > 0) exchange.setTimeout('request', requestMs)
    if (streamIdleMs > 0) exchange.setTimeout('idle', streamIdleMs)
    if (maxStreamDurationMs > 0) exchange.setTimeout('maxDuration', maxStreamDurationMs)
    inner(exchange)
  }
}
