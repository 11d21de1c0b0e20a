import type { Clock, Timer } from '../../../base/clock.ts'

/** A point in time at which something happens unless it is cancelled or moved. Belongs to one wheel. */
export interface Deadline {
  /** Milliseconds from now; again at any time. 0 cancels. */
  set(ms: number): void
  /** At a time of the wheel's clock. */
  setAt(atMs: number): void
  /** The wheel knows it no more: nothing that it would have called is kept alive. */
  cancel(): void
}

/** How exact it is: a deadline comes up to this much late, never early. */
const TICK_MS = 20
/** Slots of one wheel; a turn of it is a slot of the next. Four of them reach over two years. */
const SLOT_BITS = 8
const SLOTS = 1 << SLOT_BITS
const LEVELS = 4
const MAX_TICKS = 2 ** 30

/**
 * Many deadlines with one timer: setting and cancelling one costs a few assignments, however many there are; moving one to a later time costs a number,
 * because it is looked at again when its old time has come. The timer runs while there are deadlines. Source: Varghese and Lauck, hierarchical timing wheels.
 */
export class TimerWheel {
  readonly #clock: Clock
  /** First of each slot's ring. */
  readonly #slots: (WheelDeadline | undefined)[] = Array.from({ length: SLOTS * LEVELS }, () => undefined)
  /** Ticks count from here, so that they stay small. */
  readonly #originMs: number
  #tick = 0
  #count = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#originMs = clock.monotonic()
  }

  deadline(fire: () => void): Deadline {
    return new WheelDeadline(this, fire)
  }

  nowMs(): number {
    return this.#clock.monotonic()
  }

  /** Now or up to two ticks later, without asking the clock: for times that are put off again and again. As old as this turn of the event loop. */
  soonMs(): number {
    return this.#timer ? this.#originMs + (this.#tick + 2) * TICK_MS : this.nowMs()
  }

  /** Deadlines that are set. */
  get size(): number {
    return this.#count
  }

  place(deadline: WheelDeadline): void {
    // nobody has turned an empty wheel
    if (!this.#timer) this.#tick = this.#tickOf(this.nowMs())
    const tick = Math.ceil((deadline.atMs - this.#originMs) / TICK_MS)
    deadline.tick = Math.min(Math.max(this.#tick + 1, tick), this.#tick + MAX_TICKS)
    this.#link(deadline)
    this.#timer ??= this.#clock.after(TICK_MS, () => this.#advance())
  }

  /** When the slot that it lies in comes. */
  slotMs(deadline: WheelDeadline): number {
    return this.#originMs + deadline.tick * TICK_MS
  }

  remove(deadline: WheelDeadline): void {
    const { slot, next, previous } = deadline
    if (slot < 0) return
    if (next === deadline) this.#slots[slot] = undefined
    else {
      previous.next = next
      next.previous = previous
      if (this.#slots[slot] === deadline) this.#slots[slot] = next
      deadline.next = deadline.previous = deadline
    }
    deadline.slot = -1
    this.#count--
  }

  #tickOf(ms: number): number {
    return Math.floor((ms - this.#originMs) / TICK_MS)
  }

  #link(deadline: WheelDeadline): void {
    const { tick } = deadline
    const ahead = tick - this.#tick
    let level = 0
    while (level < LEVELS - 1 && ahead >= 1 << (SLOT_BITS * (level + 1))) level++
    const slot = level * SLOTS + indexAt(tick, level)
    const first = this.#slots[slot]
    deadline.slot = slot
    this.#count++
    if (!first) {
      this.#slots[slot] = deadline
      return
    }
    deadline.previous = first.previous
    deadline.next = first
    first.previous.next = deadline
    first.previous = deadline
  }

  #advance(): void {
    const now = this.#tickOf(this.nowMs())
    while (this.#tick < now && this.#count > 0) {
      this.#tick++
      if (indexAt(this.#tick, 0) === 0) this.#unfold(1)
      const slot = indexAt(this.#tick, 0)
      for (let due = this.#slots[slot]; due; due = this.#slots[slot]) {
        this.remove(due)
        due.arrive()
      }
    }
    this.#tick = Math.max(this.#tick, now)
    this.#timer = this.#count > 0 ? this.#clock.after(TICK_MS, () => this.#advance()) : undefined
  }

  /** A turn of the wheel below begins: what the slot here holds belongs there now. */
  #unfold(level: number): void {
    const index = indexAt(this.#tick, level)
    if (index === 0 && level < LEVELS - 1) this.#unfold(level + 1)
    const slot = level * SLOTS + index
    for (let found = this.#slots[slot]; found; found = this.#slots[slot]) {
      this.remove(found)
      this.#link(found)
    }
  }
}

const indexAt = (tick: number, level: number): number => (tick >>> (SLOT_BITS * level)) & (SLOTS - 1)

class WheelDeadline implements Deadline {
  readonly #wheel: TimerWheel
  readonly #fire: () => void
  /** 0: none. */
  atMs = 0
  tick = 0
  /** It lies in; -1: none. */
  slot = -1
  next: WheelDeadline = this
  previous: WheelDeadline = this

  constructor(wheel: TimerWheel, fire: () => void) {
    this.#wheel = wheel
    this.#fire = fire
  }

  set(ms: number): void {
    if (ms <= 0) this.cancel()
    else this.setAt(this.#wheel.nowMs() + ms)
  }

  setAt(atMs: number): void {
    this.atMs = atMs
    if (this.slot >= 0) {
      // it lies in an earlier slot already: there it will be found to be later
      if (this.#wheel.slotMs(this) <= atMs) return
      this.#wheel.remove(this)
    }
    this.#wheel.place(this)
  }

  cancel(): void {
    this.#wheel.remove(this)
  }

  arrive(): void {
    if (this.atMs > this.#wheel.nowMs()) this.#wheel.place(this)
    else this.#fire()
  }
}
