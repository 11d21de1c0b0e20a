import type { Clock, Timer } from '../base/clock.ts'

interface Entry {
  readonly item: string
  readonly dueMs: number
}

/**
 * Hands each item to `ready` when its time has come. An item waits once: the earlier of two times counts. One timer,
 * however many items.
 */
export class DelayQueue {
  readonly #clock: Clock
  readonly #ready: (item: string) => void
  /** Binary heap by due time; entries whose time `#due` no longer has are left over and skipped. */
  readonly #heap: Entry[] = []
  readonly #due = new Map<string, number>()
  #timer: Timer | undefined
  #timerDueMs = Infinity

  constructor(clock: Clock, ready: (item: string) => void) {
    this.#clock = clock
    this.#ready = ready
  }

  get size(): number {
    return this.#due.size
  }

  add(item: string, delayMs: number): void {
    const dueMs = this.#clock.monotonic() + delayMs
    const waiting = this.#due.get(item)
    if (waiting !== undefined && waiting <= dueMs) return
    this.#due.set(item, dueMs)
    this.#push({ item, dueMs })
    this.#arm()
  }

  /** Forgets everything that waits. */
  clear(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerDueMs = Infinity
    this.#due.clear()
    this.#heap.length = 0
  }

  #arm(): void {
    const next = this.#heap[0]
    if (!next || next.dueMs >= this.#timerDueMs) return
    this.#timer?.cancel()
    this.#timerDueMs = next.dueMs
    this.#timer = this.#clock.after(Math.max(0, next.dueMs - this.#clock.monotonic()), () => this.#fire())
  }

  #fire(): void {
    this.#timer = undefined
    this.#timerDueMs = Infinity
    // timers of the system clock may fire a fraction of a millisecond early
    const now = this.#clock.monotonic() + 1
    for (let top = this.#heap[0]; top && top.dueMs <= now; top = this.#heap[0]) {
      this.#pop()
      if (this.#due.get(top.item) !== top.dueMs) continue
      this.#due.delete(top.item)
      this.#ready(top.item)
    }
    this.#arm()
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if ((heap[parent] as Entry).dueMs <= entry.dueMs) break
      heap[index] = heap[parent] as Entry
      index = parent
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && (heap[child + 1] as Entry).dueMs < (heap[child] as Entry).dueMs) child++
      if (last.dueMs <= (heap[child] as Entry).dueMs) break
      heap[index] = heap[child] as Entry
      index = child
    }
    heap[index] = last
  }
}
