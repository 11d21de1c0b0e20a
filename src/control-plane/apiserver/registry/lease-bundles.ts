import type { Clock } from '../../../base/clock.ts'
import type { Leases } from '../../store/contract.ts'

const BUNDLE_MS = 60_000

/**
 * Store leases for objects that expire by themselves. Objects that expire within the same minute share one lease, so that
 * a thousand Events a minute cost one lease and not a thousand; they live up to a minute longer than asked.
 */
export class LeaseBundles {
  readonly #leases: Leases
  readonly #clock: Clock
  readonly #bundles = new Map<number, Promise<bigint>>()

  constructor(leases: Leases, clock: Clock) {
    this.#leases = leases
    this.#clock = clock
  }

  /** The lease of what is to live for `ttlSeconds` from now. */
  for(ttlSeconds: number): Promise<bigint> {
    // monotonic: a step of the wall clock must neither kill nor keep anything
    const nowMs = this.#clock.monotonic()
    const minute = Math.ceil((nowMs + ttlSeconds * 1000) / BUNDLE_MS)
    const found = this.#bundles.get(minute)
    if (found) return found
    for (const past of this.#bundles.keys()) if (past * BUNDLE_MS <= nowMs) this.#bundles.delete(past)
    const granted = this.#leases.grant(Math.max(1, Math.ceil((minute * BUNDLE_MS - nowMs) / 1000)))
    this.#bundles.set(minute, granted)
    granted.catch(() => this.#bundles.delete(minute))
    return granted
  }

  /** Forgets all bundles: the store no longer knows one of them. */
  reset(): void {
    this.#bundles.clear()
  }
}
