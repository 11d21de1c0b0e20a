/** A running timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/** The only source of time outside `cli/`: injected, so that tests own it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. Never used to measure a duration. */
  now(): number
  /** Monotonic milliseconds from an arbitrary origin: leases, back-off, durations. */
  monotonic(): number
  /** Calls `fn` once after `delayMs` (>= 0). Timers never keep the process alive. */
  after(delayMs: number, fn: () => void): Timer
}

/** The real clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fn) {
    // setTimeout turns anything above 2^31-1 into 1 ms
    const handle = setTimeout(fn, Math.min(delayMs, 2_147_483_647))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = (): void => {
      timer.cancel()
      reject(signal?.reason as Error)
    }
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
