import type { Clock } from '../base/clock.ts'

interface Expectation {
  creations: number
  readonly deletions: Set<string>
  setAtMs: number
}

/** After this time unmet expectations count as met: an event was lost. Source: controller.ExpectationsTimeout. */
const TIMEOUT_MS = 5 * 60_000

/**
 * Writes of a controller that its cache does not show yet. A controller that creates or deletes children must not count
 * them again before it has seen what it did: it expects each write, its event handlers observe them, and it acts only
 * while everything expected was observed. Source: kubernetes/pkg/controller UIDTrackingControllerExpectations.
 *
 * Keys are those of the controller's own object. Deletions are tracked by the child's key, so that several events of
 * one deletion (deletionTimestamp set, then gone) count once.
 */
export class ControllerExpectations {
  readonly #clock: Clock
  readonly #expectations = new Map<string, Expectation>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Call before the writes: their events may come before their answers. */
  expectCreations(key: string, count: number): void {
    this.#entry(key).creations += count
  }

  expectDeletions(key: string, children: readonly string[]): void {
    const entry = this.#entry(key)
    for (const child of children) entry.deletions.add(child)
  }

  /** One creation was seen, or failed. */
  creationObserved(key: string, count = 1): void {
    const entry = this.#expectations.get(key)
    if (entry) entry.creations = Math.max(0, entry.creations - count)
  }

  /** The deletion of `child` was seen, or failed. */
  deletionObserved(key: string, child: string): void {
    this.#expectations.get(key)?.deletions.delete(child)
  }

  /** Whether the cache shows all that was done (or the wait has timed out): only then may the controller act. */
  satisfied(key: string): boolean {
    const entry = this.#expectations.get(key)
    if (!entry) return true
    if (entry.creations > 0 || entry.deletions.size > 0) return this.#clock.monotonic() - entry.setAtMs > TIMEOUT_MS
    this.#expectations.delete(key)
    return true
  }

  /** The controller's object is gone. */
  forget(key: string): void {
    this.#expectations.delete(key)
  }

  #entry(key: string): Expectation {
    let entry = this.#expectations.get(key)
    // what timed out never comes: start afresh
    const stale = entry !== undefined && this.#clock.monotonic() - entry.setAtMs > TIMEOUT_MS
    if (!entry || stale) this.#expectations.set(key, (entry = { creations: 0, deletions: new Set(), setAtMs: 0 }))
    entry.setAtMs = this.#clock.monotonic()
    return entry
  }
}
