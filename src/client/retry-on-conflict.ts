import { backoffMs, type Random } from '../base/backoff.ts'
import { sleep, type Clock } from '../base/clock.ts'
import { isStatus } from '../base/errors.ts'

export interface RetryOnConflictOptions {
  readonly clock: Clock
  readonly random?: Random
  readonly signal?: AbortSignal
  /** Attempts in all. Default 5. */
  readonly attempts?: number
}

/**
 * Runs `write` again while it fails with `Conflict`, 10 ms apart. `write` must read the object afresh each time.
 * @throws {StatusError} `Conflict` when the last attempt failed too; anything else at once. Source: client-go util/retry
 */
export async function retryOnConflict<T>(write: () => Promise<T>, options: RetryOnConflictOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isStatus(error, 'Conflict') || attempt >= (options.attempts ?? 5)) throw error
    }
    await sleep(options.clock, backoffMs(1, { baseMs: 10, maxMs: 10, jitter: 0.1 }, options.random), options.signal)
  }
}
