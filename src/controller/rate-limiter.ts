import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'

/** Says how long a failed item has to wait. */
export interface RateLimiter {
  /** The delay before `item` may be tried again; counts one failure. */
  next(item: string): number
  /** The item succeeded, or is given up. */
  forget(item: string): void
  failures(item: string): number
}

export interface RateLimiterOptions {
  /** Delay after an item's first failure, doubled each time. Default 5. */
  readonly baseMs?: number
  /** Default 1,000,000 (1000 s). */
  readonly maxMs?: number
  /** Retries a second over all items once the burst is used up. Default 10. */
  readonly perSecond?: number
  /** Default 100. */
  readonly burst?: number
}

/**
 * Per item exponential, overall a token bucket; the longer of both delays counts.
 * Source: k8s.io/client-go/util/workqueue DefaultControllerRateLimiter.
 */
export function createRateLimiter(clock: Clock, options: RateLimiterOptions = {}): RateLimiter {
  const { baseMs = 5, maxMs = 1_000_000, perSecond = 10, burst = 100 } = options
  const failures = new Map<string, number>()
  const bucket = new TokenBucket(clock.monotonic(), { perSecond, burst })
  return {
    next(item) {
      const count = (failures.get(item) ?? 0) + 1
      failures.set(item, count)
      return Math.max(backoffMs(count, { baseMs, maxMs }), bucket.reserve(clock.monotonic()))
    },
    forget: (item) => void failures.delete(item),
    failures: (item) => failures.get(item) ?? 0,
  }
}

/** Tokens that come back at a steady rate. Time is given by the caller: monotonic milliseconds. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  /** Starts full. */
  constructor(nowMs: number, options: { readonly perSecond: number; readonly burst: number }) {
    this.#perMs = options.perSecond / 1000
    this.#burst = options.burst
    this.#tokens = options.burst
    this.#atMs = nowMs
  }

  /** Takes a token, in advance if none is there. @returns milliseconds until it is really there */
  reserve(nowMs: number): number {
    this.#refill(nowMs)
    this.#tokens -= 1
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs
  }

  /** Takes a token if there is one. */
  tryTake(nowMs: number): boolean {
    this.#refill(nowMs)
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
  }
}
