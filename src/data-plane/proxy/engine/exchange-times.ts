import type { TimeoutKind } from './timeouts.ts'
import type { Deadline, TimerWheel } from './timer-wheel.ts'

const NEVER = Infinity

/** All that may take too long in one exchange, behind one deadline: the next of them. */
export class ExchangeTimes {
  readonly #wheel: TimerWheel
  readonly #deadline: Deadline
  readonly #late: (kind: TimeoutKind) => void
  #idleMs = 0
  #responseMs = 0
  #idleAt = NEVER
  #responseAt = NEVER
  #requestAt = NEVER
  #maxDurationAt = NEVER

  /** @param late called with what took too long */
  constructor(wheel: TimerWheel, late: (kind: TimeoutKind) => void) {
    this.#wheel = wheel
    this.#late = late
    this.#deadline = wheel.deadline(() => this.#arrived())
  }

  /** @param ms from now; 0: never. @param isRequestWhole the time for a response runs from then on, that for a request is over */
  set(kind: TimeoutKind, ms: number, isRequestWhole: boolean): void {
    const at = ms > 0 ? this.#wheel.nowMs() + ms : NEVER
    switch (kind) {
      case 'idle':
        this.#idleMs = ms
        this.#idleAt = at
        break
      case 'response':
        this.#responseMs = ms
        this.#responseAt = isRequestWhole ? at : NEVER
        break
      case 'request':
        this.#requestAt = isRequestWhole ? NEVER : at
        break
      case 'maxDuration':
        this.#maxDurationAt = at
        break
    }
    this.#arm()
  }

  /** Something moves. */
  touch(): void {
    // a later time is found when the earlier one has come
    if (this.#idleMs > 0) this.#idleAt = this.#wheel.soonMs() + this.#idleMs
  }

  requestWhole(): void {
    this.#requestAt = NEVER
    if (this.#responseMs > 0) this.set('response', this.#responseMs, true)
  }

  cancel(): void {
    this.#deadline.cancel()
  }

  #arm(): void {
    const next = Math.min(this.#idleAt, this.#responseAt, this.#requestAt, this.#maxDurationAt)
    if (next === NEVER) this.#deadline.cancel()
    else this.#deadline.setAt(next)
  }

  #arrived(): void {
    const now = this.#wheel.nowMs()
    if (this.#requestAt <= now) this.#late('request')
    else if (this.#responseAt <= now) this.#late('response')
    else if (this.#maxDurationAt <= now) this.#late('maxDuration')
    else if (this.#idleAt <= now) this.#late('idle')
    else this.#arm()
  }
}
