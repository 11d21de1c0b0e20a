import { type FSWatcher, watch } from 'node:fs'
import type { Clock } from '../../../../base/clock.ts'
import { messageOf } from '../../../../base/errors.ts'
import type { Logger } from '../../../../base/log.ts'
import type { LogOptions } from '../../runtime.ts'
import type { ContainerRecord } from './container-record.ts'
import { LogFile, type LogLimits } from './log-file.ts'
import { readLog } from '../log-reader.ts'

export interface LogKeeperOptions {
  readonly limits: LogLimits
  /** Path of the tool that punches holes; empty: not installed. */
  readonly fallocate: string
  readonly clock: Clock
  readonly log: Logger
}

/** How late a follower is at most when the watch of the file fails or misses something. */
const FOLLOW_POLL_MS = 1000

/** Keeps the times and sizes of all logs, and reads them. */
export class LogKeeper {
  readonly #options: LogKeeperOptions
  readonly #files = new Map<string, LogFile>()
  readonly #rotations = new Set<Promise<void>>()
  readonly #followers = new Set<{ readonly id: string; readonly growth: Growth }>()

  constructor(options: LogKeeperOptions) {
    this.#options = options
  }

  /** Takes note of what running containers have written, and throws away what is too old. */
  observe(running: readonly ContainerRecord[]): void {
    for (const record of running) {
      const file = this.#file(record)
      file.observe()
      if (file.end - file.head > this.#options.limits.maxBytes) this.#rotate(record.id, file)
    }
  }

  /** Writes the times of logs to disk: what is not saved is known less exactly after a crash of the agent. */
  save(): void {
    for (const file of this.#files.values()) file.save()
  }

  /** Lets those who follow a container's log look again: it has ended. */
  wake(id: string): void {
    for (const follower of this.#followers) if (follower.id === id) follower.growth.notify()
  }

  forget(id: string): void {
    this.#files.delete(id)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#rotations)
    this.save()
  }

  async *read(record: ContainerRecord, options: LogOptions, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const file = this.#file(record)
    const { clock } = this.#options
    const growth = options.follow ? new Growth(file.path, clock, signal) : undefined
    const entry = growth && { id: record.id, growth }
    if (entry) this.#followers.add(entry)
    try {
      const ended = (): boolean => {
        record.refresh()
        return record.hasEnded
      }
      const follower = { ended, changed: () => growth?.next() ?? Promise.resolve(), now: () => clock.now() }
      yield* readLog(file, { ...options, follower, signal })
    } finally {
      growth?.close()
      if (entry) this.#followers.delete(entry)
    }
  }

  #file(record: ContainerRecord): LogFile {
    let file = this.#files.get(record.id)
    if (!file) this.#files.set(record.id, (file = new LogFile(record.dir)))
    return file
  }

  #rotate(id: string, file: LogFile): void {
    const { limits, fallocate, log } = this.#options
    const work = file
      .rotate(limits, fallocate)
      .catch((error: unknown) => log.warn('cannot shorten the log of a container', { id, error: messageOf(error) }))
      .finally(() => this.#rotations.delete(work))
    this.#rotations.add(work)
  }
}

/** Tells one follower when its file may have grown. */
class Growth {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #watcher: FSWatcher | undefined
  #grown = true
  #wake: (() => void) | undefined
  readonly notify = (): void => {
    this.#grown = true
    this.#wake?.()
  }

  constructor(path: string, clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    try {
      this.#watcher = watch(path, { persistent: false }, this.notify)
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // no watch left on this machine: the poll finds it
    }
    signal.addEventListener('abort', this.notify)
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(FOLLOW_POLL_MS, this.notify)
      this.#wake = () => {
        timer.cancel()
        this.#wake = undefined
        this.#grown = false
        resolve()
      }
      if (this.#grown) this.#wake()
    })
  }

  close(): void {
    this.#watcher?.close()
    this.#signal.removeEventListener('abort', this.notify)
  }
}
