import type { Clock } from '../../../base/clock.ts'

const FORGET_MS = 60_000
const FIRST_WAIT_MS = 1000
const LAST_WAIT_MS = 60_000
/** Above that many, old ones are swept out. */
const SWEEP_AT = 1000

/** How often others have touched what is ours, and how long to leave it: not at all, then 1 s, doubling to 60 s. A minute of peace and all is forgotten. */
export class Strikes {
  readonly #clock: Clock
  readonly #byKey = new Map<string, { count: number; until: number }>()
  #sweepAt = SWEEP_AT

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns milliseconds to wait before it is put right */
  add(key: string): number {
    const now = this.#clock.monotonic()
    if (this.#byKey.size >= this.#sweepAt) this.#sweep(now)
    const before = this.#byKey.get(key)
    const count = before && before.until > now ? before.count + 1 : 1
    const waitMs = count === 1 ? 0 : Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - 2))
    this.#byKey.set(key, { count, until: now + waitMs + FORGET_MS })
    return waitMs
  }

  /** The next is due when there are twice as many: whole tables are flushed, too. */
  #sweep(now: number): void {
    for (const [old, { until }] of this.#byKey) if (until <= now) this.#byKey.delete(old)
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#byKey.size)
  }
}
