/** A source of numbers in [0, 1), such as `Math.random`: injected, so that tests own it. */
export type Random = () => number

export interface BackoffOptions {
  /** Delay after the first failure. */
  readonly baseMs: number
  readonly maxMs: number
  /** Default 2. */
  readonly factor?: number
  /** Part of the delay that is added at random: 1 gives up to twice the delay. Default 0. */
  readonly jitter?: number
}

/** The delay after `failures` (>= 1) failures in a row: exponential, capped, then jittered. */
export function backoffMs(failures: number, options: BackoffOptions, random: Random = () => 0): number {
  const delay = Math.min(options.baseMs * (options.factor ?? 2) ** Math.max(0, failures - 1), options.maxMs)
  return delay * (1 + (options.jitter ?? 0) * random())
}
