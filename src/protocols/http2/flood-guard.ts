/** Allows `burst` events at once and `perSecond` in the long run. Time is given in, in milliseconds. */
export class FloodGuard {
  readonly #burst: number
  readonly #perMs: number
  #left: number
  #atMs = 0

  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perMs = perSecond / 1000
    this.#left = burst
  }

  /** Counts an event; false: this is one too many. */
  take(nowMs: number): boolean {
    if (this.#left < 1 || this.#atMs === 0) {
      if (this.#atMs !== 0) this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs)
      this.#atMs = nowMs || 1
    }
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
