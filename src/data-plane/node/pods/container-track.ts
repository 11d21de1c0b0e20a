import type { ContainerStatus } from '../runtime.ts'
import { afterExit, type BackOffState } from './back-off.ts'
import type { StartFailure } from './pod-view.ts'

/** What a worker remembers of one container: its last starts, why it does not start, and when it may be tried again. */
export class ContainerTrack {
  readonly #counted = new Set<string>()
  #starts: readonly ContainerStatus[] = []
  failure: StartFailure | undefined
  backOff: BackOffState | undefined

  /** The newest start. */
  get current(): ContainerStatus | undefined {
    return this.#starts.at(-1)
  }

  /** The start before. */
  get previous(): ContainerStatus | undefined {
    return this.#starts.at(-2)
  }

  /** Takes in a start's state, replacing what was known of it. */
  set(status: ContainerStatus): void {
    const known = this.#starts.findIndex((start) => start.id === status.id)
    this.#starts = known === -1 ? [...this.#starts, status] : this.#starts.with(known, status)
  }

  /** Starts before the last two, which nobody can ask for any more; they are forgotten. */
  takeOld(): readonly ContainerStatus[] {
    const old = this.#starts.slice(0, -2)
    this.#starts = this.#starts.slice(-2)
    for (const { id } of old) this.#counted.delete(id)
    return old
  }

  /** Counts the newest exit towards the back-off, once. @returns whether it had not been counted */
  countExit(atMs: number): boolean {
    const { current } = this
    if (current?.state !== 'exited' || this.#counted.has(current.id)) return false
    this.#counted.add(current.id)
    this.backOff = afterExit(this.backOff, atMs, (current.finishedAtMs ?? 0) - (current.startedAtMs ?? current.finishedAtMs ?? 0))
    return true
  }

  /** Looks again in `delayMs`, however long the next crash would wait. */
  retryAt(notBeforeMs: number): void {
    this.backOff = { delayMs: this.backOff?.delayMs ?? 0, notBeforeMs }
  }

  started(): void {
    this.failure = undefined
  }
}

/** A start that the runtime has lost: it does not run, and nobody knows how it ended. */
export function lost(status: ContainerStatus, nowMs: number): ContainerStatus {
  const message = 'the container is gone from this machine and nobody saw how it ended'
  return { ...status, state: 'exited', exitCode: 137, reason: 'ContainerStatusUnknown', message, finishedAtMs: nowMs }
}
