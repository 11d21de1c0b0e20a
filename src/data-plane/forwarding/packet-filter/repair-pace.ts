const FIRST_MS = 5_000
const MAX_MS = 60_000

/**
 * When a stranger's change may be put right. The first at once; the more often it is needed, the longer the pause, so that two programs with different
 * wishes do not fight over the kernel. A calm minute starts over.
 */
export class RepairPace {
  #dueMs = 0
  #pauseMs = FIRST_MS
  #lastMs = -Infinity

  /** Milliseconds to wait before the next repair. @param nowMs monotonic */
  delay(nowMs: number): number {
    return Math.max(this.#dueMs - nowMs, 0)
  }

  repaired(nowMs: number): void {
    this.#pauseMs = nowMs - this.#lastMs > MAX_MS + this.#pauseMs ? FIRST_MS : Math.min(this.#pauseMs * 2, MAX_MS)
    this.#lastMs = nowMs
    this.#dueMs = nowMs + this.#pauseMs
  }
}
