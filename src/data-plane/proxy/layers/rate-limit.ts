import type { Clock } from '../../../base/clock.ts'
import { compileCallers } from '../../../policy/traffic/evaluate/index.ts'
import type { RateLimitFilter } from '../../../policy/traffic/model/index.ts'
import type { Layer } from '../contract.ts'
import type { HttpStats } from '../telemetry/stats.ts'
import { peerOf } from './access.ts'
import { TokenBucketState } from './token-bucket.ts'

/** Refuses what exceeds a rate (429). One bucket for all callers that share the filter; others are not counted. @throws MatchError */
export function createRateLimitLayer(filter: RateLimitFilter, stats: HttpStats, clock: Clock): Layer {
  if (!filter.bucket) return (inner) => inner
  const bucket = new TokenBucketState(filter.bucket, clock.monotonic())
  const { status = 429, responseHeaders: headers = [] } = filter
  const { table } = stats
  const isMeant = filter.principals || filter.notPrincipals ? compileCallers(filter) : undefined
  return (inner) => (exchange) => {
    if (isMeant && !isMeant(peerOf(exchange.connection))) return inner(exchange)
    if (bucket.take(clock.monotonic())) {
      table.inc(stats.rateOk)
      return inner(exchange)
    }
    table.inc(stats.rateLimited)
    exchange.respond({ status, headers, body: 'local_rate_limited', flag: 'RL', details: 'local_rate_limited' })
  }
}
