import type { HealthCheck } from '../../../policy/traffic/model/index.ts'

/** What active checks have found out about an endpoint. Good until checks say otherwise: who is listed is ready for the platform already. */
export class HealthState {
  healthy = true
  #successes = 0
  #failures = 0
  #first = true

  /**
   * Takes a result in. The first result of all counts at once, as for Envoy: a new endpoint that answers needs no threshold.
   * @returns whether `healthy` has changed
   */
  take(ok: boolean, check: Pick<HealthCheck, 'healthyThreshold' | 'unhealthyThreshold'>): boolean {
    const before = this.healthy
    if (ok) {
      this.#failures = 0
      if (++this.#successes >= check.healthyThreshold || this.#first) this.healthy = true
    } else {
      this.#successes = 0
      if (++this.#failures >= check.unhealthyThreshold) this.healthy = false
    }
    this.#first = false
    return this.healthy !== before
  }

  /** Without checks nobody could take the verdict back. */
  reset(): void {
    this.healthy = true
    this.#successes = this.#failures = 0
    this.#first = true
  }
}

/**
 * Milliseconds until the next check.
 * @param random in [0, 1)
 * @param hadTraffic something was sent to the cluster
 */
export function checkDelay(check: HealthCheck, random: number, first: boolean, hadTraffic: boolean): number {
  if (first) return (check.initialJitterMs ?? 0) * random
  const base = hadTraffic ? check.intervalMs : Math.max(check.intervalMs, check.noTrafficIntervalMs ?? 60_000)
  return base + (check.intervalJitterMs ?? 0) * random + base * ((check.intervalJitterPercent ?? 0) / 100) * random
}

/** Whether an answer to an HTTP check is good. */
export function isExpectedStatus(check: HealthCheck & { readonly type: 'http' }, status: number): boolean {
  return check.expectedStatuses.length === 0 ? status === 200 : check.expectedStatuses.includes(status)
}
