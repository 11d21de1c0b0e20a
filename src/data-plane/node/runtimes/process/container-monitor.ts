import type { Clock, Timer } from '../../../../base/clock.ts'
import { messageOf } from '../../../../base/errors.ts'
import type { Logger } from '../../../../base/log.ts'
import { PodEvents } from '../pod-events.ts'
import { ChangeFeed } from './change-feed.ts'
import type { ContainerRecord } from './container-record.ts'
import type { ContainerStore } from './container-store.ts'
import { type ContainerKey, containerId } from './layout.ts'
import type { LogKeeper } from './log-keeper.ts'
import type { StraySweeper } from './strays.ts'

const TICK_MS = 1000
/** Ticks between two looks at whether running programs still live: with a working watch only a killed shim makes that necessary. */
const LIVENESS_TICKS = 5
const SAVE_TICKS = 10
/** How often one who waits for a container looks by itself. */
const POLL_MS = 100

export interface ContainerMonitorOptions {
  readonly containers: ContainerStore
  readonly strays: StraySweeper
  readonly logs: LogKeeper
  /** Where shims leave their marks. */
  readonly eventsDir: string
  readonly clock: Clock
  readonly log: Logger
}

/** Notices what happens to containers: tells who waits, publishes events, and cleans up after those that ended. */
export class ContainerMonitor {
  readonly events: PodEvents = new PodEvents()
  readonly #options: ContainerMonitorOptions
  readonly #feed: ChangeFeed
  readonly #waiters = new Map<string, Set<() => void>>()
  #timer: Timer | undefined
  #ticks = 0
  #closed = false

  constructor(options: ContainerMonitorOptions) {
    this.#options = options
    this.#feed = new ChangeFeed(options.eventsDir, { log: options.log, onChange: (key) => this.look(key) })
  }

  open(): void {
    this.#feed.open()
    this.#schedule()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#feed.close()
    this.events.close()
  }

  /** Looks at a container, if it is known. After `close` it may be another agent's. */
  look(key: ContainerKey): void {
    if (this.#closed) return
    const record = this.#options.containers.get(containerId(key))
    if (record) this.refresh(record)
  }

  /** Reads a container's state again. */
  refresh(record: ContainerRecord): void {
    if (record.refresh()) this.changed(record)
  }

  /** Spreads the news that a container's state has changed. */
  changed(record: ContainerRecord): void {
    for (const wake of this.#waiters.get(record.id) ?? []) wake()
    this.events.publish(record.key.podUid)
    if (!record.hasEnded) return
    const { strays, logs, log } = this.#options
    logs.wake(record.id)
    strays.sweep(record.key).catch((error: unknown) => {
      log.warn('cannot clean up after a container', { id: record.id, error: messageOf(error) })
    })
  }

  /** Resolves with whether `test` came true within `timeoutMs`. */
  waitFor(record: ContainerRecord, test: () => boolean, timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options
    const deadline = clock.monotonic() + timeoutMs
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const waiters = this.#waiters.get(record.id) ?? new Set()
      this.#waiters.set(record.id, waiters)
      const done = (result: boolean): void => {
        timer?.cancel()
        waiters.delete(check)
        if (waiters.size === 0) this.#waiters.delete(record.id)
        resolve(result)
      }
      const check = (): void => {
        if (test()) done(true)
      }
      const poll = (): void => {
        this.refresh(record)
        if (!waiters.has(check)) return
        const left = deadline - clock.monotonic()
        if (test() || left <= 0) return done(test())
        timer = clock.after(Math.min(POLL_MS, left), poll)
      }
      waiters.add(check)
      poll()
    })
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      try {
        this.#tick()
      } catch (error) {
        this.#options.log.error('cannot look after the containers', { error: messageOf(error) })
      }
      this.#schedule()
    })
  }

  #tick(): void {
    const { containers, logs } = this.#options
    this.#ticks++
    const started = containers.list().filter((record) => record.isStarted)
    logs.observe(started)
    if (this.#ticks % SAVE_TICKS === 0) logs.save()
    if (this.#ticks % LIVENESS_TICKS === 0 || !this.#feed.isOpen) for (const record of started) this.refresh(record)
  }
}
