import type { OutlierDetection } from '../../../policy/traffic/model/index.ts'

/** How a request ended: `local`: no response came (connection, reset, timeout). */
export type Outcome = number | 'local'

export type EjectionCause = 'consecutive5xx' | 'gateway' | 'local' | 'successRate' | 'failurePercentage'

/** What passive health knows of one endpoint. */
export class OutlierState {
  ejected = false
  ejectedUntilMs = 0
  /** How often in a row; the time of an ejection grows by it and shrinks with every quiet interval. */
  ejections = 0
  consecutive5xx = 0
  consecutiveGateway = 0
  consecutiveLocal = 0
  /** In the interval that runs. */
  successes = 0
  requests = 0
}

/** @returns what the outcome means for an endpoint right now; Envoy's counting: 502, 503 and 504 are gateway failures and 5xx both */
export function takeOutcome(state: OutlierState, outcome: Outcome, config: OutlierDetection): EjectionCause | undefined {
  if (outcome === 'local' && config.splitLocalErrors) {
    const { consecutiveLocalFailures: limit } = config
    return ++state.consecutiveLocal >= (limit ?? Infinity) ? 'local' : undefined
  }
  const status = outcome === 'local' ? 503 : outcome
  state.requests++
  state.consecutiveLocal = 0
  if (status < 500) {
    state.successes++
    state.consecutive5xx = state.consecutiveGateway = 0
    return undefined
  }
  state.consecutive5xx++
  if (status >= 502 && status <= 504) state.consecutiveGateway++
  else state.consecutiveGateway = 0
  if (state.consecutive5xx >= (config.consecutive5xx ?? Infinity)) return 'consecutive5xx'
  return state.consecutiveGateway >= (config.consecutiveGatewayFailures ?? Infinity) ? 'gateway' : undefined
}

/** Whether one more may be ejected: one always may, beyond that up to `maxEjectionPercent`. */
export function mayEject(ejected: number, total: number, config: OutlierDetection): boolean {
  return ejected === 0 || ((ejected + 1) * 100) / total <= config.maxEjectionPercent
}

export function eject(state: OutlierState, nowMs: number, config: OutlierDetection): void {
  state.ejected = true
  state.ejections++
  state.ejectedUntilMs = nowMs + Math.min(config.baseEjectionMs * state.ejections, Math.max(config.maxEjectionMs, config.baseEjectionMs))
  state.consecutive5xx = state.consecutiveGateway = state.consecutiveLocal = 0
}

/**
 * The end of an interval: who may come back comes back, and who stands out from the others is named. Counters of the interval start again.
 * @returns endpoints to eject, worst first by order given; the caller asks `mayEject` for each
 */
export function sweep<T extends { readonly outlier: OutlierState }>(
  hosts: readonly T[],
  nowMs: number,
  config: OutlierDetection,
): { readonly returned: readonly T[]; readonly suspects: readonly (readonly [T, EjectionCause])[] } {
  const returned: T[] = []
  for (const host of hosts) {
    const { outlier } = host
    if (outlier.ejected && nowMs >= outlier.ejectedUntilMs) {
      outlier.ejected = false
      returned.push(host)
    } else if (!outlier.ejected && outlier.ejections > 0) outlier.ejections--
  }
  const suspects = new Map<T, EjectionCause>()
  const { successRate, failurePercentage } = config
  if (successRate) {
    const rated = ratedHosts(hosts, successRate.minRequests)
    if (rated.length >= successRate.minHosts && rated.length > 0) {
      const mean = rated.reduce((sum, [, rate]) => sum + rate, 0) / rated.length
      const variance = rated.reduce((sum, [, rate]) => sum + (rate - mean) ** 2, 0) / rated.length
      const threshold = mean - successRate.stdevFactor * Math.sqrt(variance)
      for (const [host, rate] of rated) if (rate < threshold) suspects.set(host, 'successRate')
    }
  }
  if (failurePercentage) {
    const rated = ratedHosts(hosts, failurePercentage.minRequests)
    if (rated.length >= failurePercentage.minHosts) {
      for (const [host, rate] of rated) {
        if (100 - rate >= failurePercentage.threshold && !suspects.has(host)) suspects.set(host, 'failurePercentage')
      }
    }
  }
  for (const { outlier } of hosts) outlier.successes = outlier.requests = 0
  return { returned, suspects: [...suspects] }
}

function ratedHosts<T extends { readonly outlier: OutlierState }>(hosts: readonly T[], minRequests: number): (readonly [T, number])[] {
  return hosts.flatMap((host) => {
    const { ejected, requests, successes } = host.outlier
    return ejected || requests < Math.max(minRequests, 1) ? [] : [[host, (successes * 100) / requests] as const]
  })
}
