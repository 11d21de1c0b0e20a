import type { Clock, Timer } from '../../../base/clock.ts'

/** A point in time at which something happens unless it is cancelled or moved. Belongs to one wheel. */
export interface Deadline {
  /** Milliseconds from now; again at any time. 0 cancels. */
  set(ms: number): void
  cancel(): void
}

/** How exact it is: a deadline comes up to this much late, never early. */
const TICK_MS = 20

/**
 * Many deadlines with one timer: moving one costs no more than writing a number, because it is looked at again only when its old time has come. The
 * timer runs while there are deadlines.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #slots = new Map<number, WheelDeadline[]>()
  #tick = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  deadline(fire: () => void): Deadline {
    return new WheelDeadline(this, fire)
  }

  nowMs(): number {
    return this.#clock.monotonic()
  }

  place(deadline: WheelDeadline): void {
    if (!this.#timer) this.#tick = Math.floor(this.nowMs() / TICK_MS)
    const tick = Math.max(this.#tick + 1, Math.ceil(deadline.atMs / TICK_MS))
    deadline.tick = tick
    const slot = this.#slots.get(tick)
    if (slot) slot.push(deadline)
    else this.#slots.set(tick, [deadline])
    this.#timer ??= this.#clock.after(TICK_MS, () => this.#advance())
  }

  #advance(): void {
    const now = Math.floor(this.nowMs() / TICK_MS)
    // a process that was stopped for long has fewer slots than ticks to catch up with
    const due =
      now - this.#tick > this.#slots.size
        ? [...this.#slots.keys()].filter((tick) => tick <= now).sort((a, b) => a - b)
        : range(this.#tick + 1, now)
    this.#tick = Math.max(this.#tick, now)
    for (const tick of due) {
      const slot = this.#slots.get(tick)
      if (!slot) continue
      this.#slots.delete(tick)
      for (const deadline of slot) deadline.arrive(tick)
    }
    this.#timer = this.#slots.size > 0 ? this.#clock.after(TICK_MS, () => this.#advance()) : undefined
  }
}

class WheelDeadline implements Deadline {
  readonly #wheel: TimerWheel
  readonly #fire: () => void
  atMs = 0
  /** Slot it lies in; -1: none. */
  tick = -1

  constructor(wheel: TimerWheel, fire: () => void) {
    this.#wheel = wheel
    this.#fire = fire
  }

  set(ms: number): void {
    if (ms <= 0) return this.cancel()
    this.atMs = this.#wheel.nowMs() + ms
    // it lies in an earlier slot already: there it will be found to be later
    if (this.tick >= 0 && this.tick * TICK_MS <= this.atMs) return
    this.#wheel.place(this)
  }

  cancel(): void {
    this.atMs = 0
  }

  arrive(tick: number): void {
    // moved to an earlier time meanwhile: that slot counts
    if (tick !== this.tick) return
    this.tick = -1
    if (this.atMs === 0) return
    if (this.atMs > this.#wheel.nowMs()) this.#wheel.place(this)
    else {
      this.atMs = 0
      this.#fire()
    }
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
