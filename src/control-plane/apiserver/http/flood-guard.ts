import type { Clock } from '../../../base/clock.ts'

export interface FloodLimits {
  /** Streams a client may reset at once. Default 200: a client that stops all its watches does that. */
  readonly burst?: number
  /** And then in each second. Default 50. */
  readonly perSecond?: number
}

/**
 * Counts the streams that one HTTP/2 client opens and resets before they are answered (CVE-2023-44487). A token bucket; `allow` is false
 * once it is empty: the session must go.
 */
export interface FloodGuard {
  allow(): boolean
}

export function createFloodGuard(clock: Clock, limits: FloodLimits = {}): FloodGuard {
  const burst = limits.burst ?? 200
  const perMs = (limits.perSecond ?? 50) / 1000
  let tokens = burst
  let at = clock.monotonic()
  return {
    allow() {
      const now = clock.monotonic()
      tokens = Math.min(burst, tokens + (now - at) * perMs)
      at = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
