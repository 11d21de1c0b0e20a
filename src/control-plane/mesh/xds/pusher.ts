import type { Clock, Timer } from '../../../base/clock.ts'
import type { ResourceChange } from './contract.ts'
import { averageCost, nextPushAt } from './push-schedule.ts'
import type { StreamState } from './stream-state.ts'

/** A stream as the pusher sees it. */
export interface PushTarget {
  readonly state: StreamState
  /** Sends what can be sent. */
  flush(): void
}

/** Streams that are served before other work of the process gets its turn, at most; fewer where they take longer than a few milliseconds. */
const SLICE = 1_024
const SLICE_MS = 8
const LOOK_EVERY = 16

/** Decides when changes go out, and sends them to the streams that they concern, a slice at a time. */
export class Pusher {
  readonly #clock: Clock
  readonly #byProxy: Map<string, Set<PushTarget>> = new Map()
  readonly #pushed: (durationMs: number, streams: number) => void
  /** Streams with something to send. */
  #waiting: Set<PushTarget> = new Set()
  #firstChangeAt: number | undefined
  #lastChangeAt = 0
  #urgent = false
  #lastPushAt = Number.NEGATIVE_INFINITY
  #costMs = 0
  #timer: Timer | undefined
  #pushing = false

  constructor(clock: Clock, pushed: (durationMs: number, streams: number) => void = () => {}) {
    this.#clock = clock
    this.#pushed = pushed
  }

  get streams(): number {
    let count = 0
    for (const targets of this.#byProxy.values()) count += targets.size
    return count
  }

  add(target: PushTarget): void {
    const { proxy } = target.state
    const targets = this.#byProxy.get(proxy)
    if (targets) targets.add(target)
    else this.#byProxy.set(proxy, new Set([target]))
  }

  remove(target: PushTarget): void {
    const { proxy } = target.state
    const targets = this.#byProxy.get(proxy)
    targets?.delete(target)
    if (targets?.size === 0) this.#byProxy.delete(proxy)
    this.#waiting.delete(target)
  }

  changed(change: ResourceChange): void {
    let concerned = false
    for (const proxy of change.proxies ?? this.#byProxy.keys()) {
      for (const target of this.#byProxy.get(proxy) ?? []) {
        if (!target.state.changed(change)) continue
        this.#waiting.add(target)
        concerned = true
      }
    }
    if (!concerned) return
    this.#lastChangeAt = this.#clock.monotonic()
    this.#firstChangeAt ??= this.#lastChangeAt
    this.#urgent ||= change.urgent
    this.#plan()
  }

  close(): void {
    this.#timer?.cancel()
    this.#byProxy.clear()
    this.#waiting.clear()
  }

  #plan(): void {
    if (this.#pushing) return
    const at = nextPushAt({
      ...(this.#firstChangeAt === undefined ? {} : { firstChangeAt: this.#firstChangeAt }),
      lastChangeAt: this.#lastChangeAt,
      urgent: this.#urgent,
      lastPushAt: this.#lastPushAt,
      pushCostMs: this.#costMs,
    })
    this.#timer?.cancel()
    this.#timer = at === undefined ? undefined : this.#clock.after(Math.max(0, at - this.#clock.monotonic()), () => this.#push())
  }

  #push(): void {
    const targets = [...this.#waiting]
    this.#waiting = new Set()
    this.#firstChangeAt = undefined
    this.#urgent = false
    this.#pushing = true
    this.#slice(targets, 0, 0)
  }

  #slice(targets: readonly PushTarget[], from: number, spentMs: number): void {
    const start = this.#clock.monotonic()
    let at = from
    for (const end = Math.min(targets.length, from + SLICE); at < end; at++) {
      if (at % LOOK_EVERY === 0 && this.#clock.monotonic() - start >= SLICE_MS) break
      targets[at]?.flush()
    }
    const spent = spentMs + this.#clock.monotonic() - start
    if (at < targets.length) return void this.#clock.after(0, () => this.#slice(targets, at, spent))
    this.#pushing = false
    this.#lastPushAt = this.#clock.monotonic()
    this.#costMs = averageCost(this.#costMs, spent)
    this.#pushed(spent, targets.length)
    this.#plan()
  }
}
