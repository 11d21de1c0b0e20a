/**
 * What may wait for clients to read it, of all streams together: those that come when it is used up are called when there is room again, in the order in
 * which they came. Nothing is kept for them meanwhile: what they are to send is made when it is sent. One that is let in may take more than is left: the
 * limit is exceeded by what one stream sends at once, at most.
 */
export class SendBudget {
  readonly #limit: number
  readonly #waiting: Set<() => void> = new Set()
  #used = 0

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that wait to be read. */
  get used(): number {
    return this.#used
  }

  /** How many wait to be called. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Whether something may be sent; if not, `again` is called once when it may, unless it leaves before. @param again must not throw */
  admits(again: () => void): boolean {
    if (this.#used < this.#limit) {
      this.#waiting.delete(again)
      return true
    }
    this.#waiting.add(again)
    return false
  }

  /** Is not to be called any more. */
  leave(again: () => void): void {
    this.#waiting.delete(again)
  }

  /** Notes bytes that were sent. */
  take(bytes: number): void {
    this.#used += bytes
  }

  /** Notes bytes that were read, or are not to be any more, and calls those that wait as far as there is room. */
  give(bytes: number): void {
    this.#used -= bytes
    for (const again of this.#waiting) {
      if (this.#used >= this.#limit) return
      this.#waiting.delete(again)
      again()
    }
  }
}
