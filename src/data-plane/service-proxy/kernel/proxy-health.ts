import type { Clock } from '../../../base/clock.ts'

/** A change that is not in the kernel after so long means that something is wrong. Source: kube-proxy, twice its sync period. */
const LATE_MS = 60_000

/** Body and code of `/healthz`, as kube-proxy answers it. */
export interface HealthzAnswer {
  readonly code: 200 | 503
  readonly body: string
}

/** Whether the proxy keeps up: a change that waits for more than a minute makes it unhealthy. */
export class ProxyHealth {
  readonly #clock: Clock
  #lastUpdated: number
  /** Since when something waits, monotonic. */
  #waitsSince: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastUpdated = clock.now()
  }

  queued(): void {
    this.#waitsSince ??= this.#clock.monotonic()
  }

  updated(): void {
    this.#waitsSince = undefined
    this.#lastUpdated = this.#clock.now()
  }

  get isHealthy(): boolean {
    return this.#waitsSince === undefined || this.#clock.monotonic() - this.#waitsSince < LATE_MS
  }

  /** @param isNodeEligible false while the node drains: load balancers are to go elsewhere; `/livez` leaves it out */
  answer(isNodeEligible: boolean = true): HealthzAnswer {
    const { isHealthy } = this
    const now = this.#clock.now()
    const lastUpdated = new Date(isHealthy ? now : this.#lastUpdated).toISOString()
    const body = { lastUpdated, currentTime: new Date(now).toISOString(), nodeEligible: isNodeEligible }
    return { code: isHealthy && isNodeEligible ? 200 : 503, body: JSON.stringify(body) }
  }
}
