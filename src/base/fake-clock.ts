import type { Clock, Timer } from './clock.ts'

interface Pending {
  readonly at: number
  readonly sequence: number
  readonly fn: () => void
}

/** A clock that moves only when told to. Wall and monotonic time advance together. */
export class FakeClock implements Clock {
  #now: number
  #elapsed = 0
  #sequence = 0
  readonly #pending = new Set<Pending>()

  /** @param startMs wall time at the start, milliseconds since 1970 */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(delayMs: number, fn: () => void): Timer {
    const entry: Pending = { at: this.#elapsed + Math.max(0, delayMs), sequence: this.#sequence++, fn }
    this.#pending.add(entry)
    return { cancel: () => void this.#pending.delete(entry) }
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#pending.size
  }

  /**
   * Moves time forward, running due timers in order. Between two timers all pending promise
   * callbacks run, so a loop that sleeps again inside is carried along.
   */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsed + ms
    for (;;) {
      await settle()
      const next = this.#earliest()
      if (!next || next.at > target) break
      this.#moveTo(next.at)
      this.#pending.delete(next)
      next.fn()
    }
    this.#moveTo(target)
    await settle()
  }

  #moveTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }

  #earliest(): Pending | undefined {
    let best: Pending | undefined
    for (const entry of this.#pending) {
      if (!best || entry.at < best.at || (entry.at === best.at && entry.sequence < best.sequence)) best = entry
    }
    return best
  }
}

/** Lets promise callbacks and immediates run until the event loop has nothing at hand. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
