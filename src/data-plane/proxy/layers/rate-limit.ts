import type { Clock } from '../../../base/clock.ts'
import type { RateLimitFilter } from '../../../policy/traffic/model/index.ts'
import type { Layer } from '../contract.ts'
import type { HttpStats } from '../telemetry/stats.ts'
import { TokenBucketState } from './token-bucket.ts'

/** Refuses what exceeds a rate (429). One bucket for all that share the filter. */
export function createRateLimitLayer(filter: RateLimitFilter, stats: HttpStats, clock: Clock): Layer {
  if (!filter.bucket) return (inner) => inner
  const bucket = new TokenBucketState(filter.bucket, clock.monotonic())
  const { status = 429, responseHeaders: headers = [] } = filter
  const { table } = stats
  return (inner) => (exchange) => {
    if (bucket.take(clock.monotonic())) {
      table.inc(stats.rateOk)
      return inner(exchange)
    }
    table.inc(stats.rateLimited)
    exchange.respond({ status, headers, body: 'local_rate_limited', flag: 'RL', details: 'local_rate_limited' })
  }
}
