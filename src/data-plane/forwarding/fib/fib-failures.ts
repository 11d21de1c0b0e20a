import type { FibProblem } from '../../../policy/route/fib-route.ts'
import { describeRouteKey, type RouteKey } from './route-key.ts'

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

interface Failure {
  readonly message: string
  readonly retryMs: number
  /** On the monotonic clock; Infinity: an event will tell when it is worth a try. */
  readonly retryAt: number
}

/** The wanted routes that are not in force: why, and when to try again. Waits double from 1 s to 30 s. */
export class FibFailures {
  readonly #byKey = new Map<RouteKey, Failure>()

  get size(): number {
    return this.#byKey.size
  }

  has(key: RouteKey): boolean {
    return this.#byKey.has(key)
  }

  /** @returns whether that is another reason than before */
  add(key: RouteKey, message: string, now: number, waitsForEvent: boolean): boolean {
    const before = this.#byKey.get(key)
    const retryMs = before ? Math.min(LAST_RETRY_MS, before.retryMs * 2) : FIRST_RETRY_MS
    this.#byKey.set(key, { message, retryMs, retryAt: waitsForEvent ? Infinity : now + retryMs })
    return before?.message !== message
  }

  keys(): Iterable<RouteKey> {
    return this.#byKey.keys()
  }

  delete(key: RouteKey): boolean {
    return this.#byKey.delete(key)
  }

  /** Keys whose time has come. */
  due(now: number): readonly RouteKey[] {
    return [...this.#byKey].flatMap(([key, { retryAt }]) => (retryAt <= now ? [key] : []))
  }

  /** When a key is due; Infinity: not by time. */
  retryAt(key: RouteKey): number {
    return this.#byKey.get(key)?.retryAt ?? Infinity
  }

  /** When the next is due; Infinity: none by time. */
  next(): number {
    let next = Infinity
    for (const { retryAt } of this.#byKey.values()) next = Math.min(next, retryAt)
    return next
  }

  problem(key: RouteKey): FibProblem | undefined {
    const failure = this.#byKey.get(key)
    return failure && { prefix: describeRouteKey(key), message: failure.message }
  }

  problems(): readonly FibProblem[] {
    return [...this.#byKey].map(([key, { message }]) => ({ prefix: describeRouteKey(key), message }))
  }
}
