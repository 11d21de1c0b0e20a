import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { compileCallers } from '../../../policy/traffic/evaluate/index.ts'
import type { FaultFilter } from '../../../policy/traffic/model/index.ts'
import type { Exchange, Layer, Service } from '../contract.ts'
import type { HttpStats } from '../telemetry/stats.ts'
import { peerOf } from './access.ts'
import { stateOf } from './request-state.ts'

/** Delays, refuses or slows down a share of the requests, as asked for: delays first, then aborts. @throws MatchError */
export function createFaultLayer(filter: FaultFilter, stats: HttpStats, clock: Clock, random: Random): Layer {
  const faults = filter.faults.map((fault) => {
    const isCaller = compileCallers(fault)
    return { fault, isMeant: (exchange: Exchange) => isCaller(peerOf(exchange.connection)) }
  })
  const draw = (percentage: number): boolean => random() * 100 < percentage
  const { table } = stats
  const abort = (exchange: Exchange, inner: Service): void => {
    for (const { fault, isMeant } of faults) {
      if (fault.abort && isMeant(exchange) && draw(fault.abort.percentage)) {
        table.inc(stats.aborts)
        const { status } = fault.abort
        return exchange.respond({ status, body: 'fault filter abort', flag: 'FI', details: 'fault_filter_abort' })
      }
    }
    inner(exchange)
  }
  return (inner) => (exchange) => {
    let delayMs = 0
    for (const { fault, isMeant } of faults) {
      const { delay, responseBandwidth } = fault
      if (!isMeant(exchange)) continue
      if (delay && draw(delay.percentage)) delayMs += delay.ms
      if (responseBandwidth && draw(responseBandwidth.percentage)) {
        table.inc(stats.bandwidth)
        exchange.limitResponseRate(responseBandwidth.bytesPerSecond)
      }
    }
    if (delayMs === 0) return abort(exchange, inner)
    table.inc(stats.delays)
    exchange.flags.add('DI')
    const state = stateOf(exchange)
    const timer = clock.after(delayMs, () => {
      state.onEnd = undefined
      abort(exchange, inner)
    })
    state.onEnd = () => timer.cancel()
  }
}
