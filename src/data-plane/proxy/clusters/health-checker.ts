import type { Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { HealthCheck } from '../../../policy/traffic/model/index.ts'
import type { Host } from './host.ts'
import { checkDelay } from './health-state.ts'
import type { UpstreamCluster } from './upstream-cluster.ts'

/** Asks an endpoint of a cluster once, within `check.timeoutMs`; calls `done` exactly once. */
export type Probe = (host: Host, check: HealthCheck, done: (ok: boolean) => void, cluster: UpstreamCluster) => void

export interface HealthCheckerOptions {
  readonly check: HealthCheck
  readonly probe: (host: Host, check: HealthCheck, done: (ok: boolean) => void) => void
  readonly clock: Clock
  readonly random: Random
  readonly hadTraffic: () => boolean
  readonly onResult: (host: Host, ok: boolean, changed: boolean) => void
}

/** Checks the endpoints of a cluster again and again; never two checks of one endpoint at once. */
export class HealthChecker {
  readonly #options: HealthCheckerOptions
  readonly #timers = new Map<Host, Timer | undefined>()

  constructor(options: HealthCheckerOptions) {
    this.#options = options
  }

  /** Starts with who is new and stops with who has gone. */
  setHosts(hosts: ReadonlySet<Host>): void {
    for (const [host, timer] of this.#timers) {
      if (hosts.has(host)) continue
      timer?.cancel()
      this.#timers.delete(host)
    }
    for (const host of hosts) if (!this.#timers.has(host)) this.#schedule(host, true)
  }

  close(): void {
    this.setHosts(new Set())
  }

  #schedule(host: Host, first: boolean): void {
    const { check, clock, random, hadTraffic, probe, onResult } = this.#options
    const timer = clock.after(checkDelay(check, random(), first, hadTraffic()), () => {
      this.#timers.set(host, undefined)
      probe(host, check, (ok) => {
        if (!this.#timers.has(host)) return
        onResult(host, ok, host.health.take(ok, check))
        this.#schedule(host, false)
      })
    })
    this.#timers.set(host, timer)
  }
}
