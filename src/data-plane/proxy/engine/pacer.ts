import type { Deadline, TimerWheel } from './timer-wheel.ts'

/** Spreads bytes over time: what was sent has to be paid off before more may go. */
export class Pacer {
  readonly #wheel: TimerWheel
  readonly #bytesPerMs: number
  readonly #deadline: Deadline
  #freeAtMs = 0

  /** @param resume called when more may be sent */
  constructor(wheel: TimerWheel, bytesPerSecond: number, resume: () => void) {
    this.#wheel = wheel
    this.#bytesPerMs = Math.max(1, bytesPerSecond) / 1000
    this.#deadline = wheel.deadline(resume)
  }

  /** @returns whether more may be sent at once */
  spend(bytes: number): boolean {
    const now = this.#wheel.nowMs()
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + bytes / this.#bytesPerMs
    const waitMs = this.#freeAtMs - now
    if (waitMs < 1) return true
    this.#deadline.set(waitMs)
    return false
  }

  stop(): void {
    this.#deadline.cancel()
  }
}
