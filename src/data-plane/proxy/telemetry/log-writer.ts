import type { LineWriter } from './access-logger.ts'

/** Where lines end up. `done` is called once for each write, with an error or without; there is one write at a time. */
export interface LineSink {
  write(text: string, done: (error?: Error) => void): void
  close(): void
}

export interface LogWriterOptions {
  readonly sink: LineSink
  /** Characters that may wait; what comes then is dropped. Default 1,048,576. */
  readonly limit?: number
  /** Runs something a moment later; default: after 50 ms. */
  readonly schedule?: (flush: () => void) => void
  readonly onDrop?: (lines: number) => void
}

/** Every write to a file wakes a thread: that costs more than the line. */
const COLLECT_MS = 50
/** Characters that are written at once. */
const COLLECT = 32_768

/** Collects the lines of a moment and writes them at once. A slow or broken sink costs lines, never requests or memory. */
export class LogWriter implements LineWriter {
  /** Lines lost so far. */
  dropped = 0
  readonly #sink: LineSink
  readonly #limit: number
  readonly #schedule: (flush: () => void) => void
  readonly #onDrop: ((lines: number) => void) | undefined
  #waiting = ''
  #lines = 0
  #busy = false
  #isScheduled = false

  constructor({ sink, limit = 1_048_576, schedule = later, onDrop }: LogWriterOptions) {
    this.#sink = sink
    this.#limit = limit
    this.#schedule = schedule
    this.#onDrop = onDrop
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#limit) return this.#drop(1)
    this.#waiting += line
    this.#lines++
    if (this.#busy) return
    if (this.#waiting.length >= COLLECT) return this.#flush()
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#schedule(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  /** Writes what waits, and closes. */
  close(): void {
    this.#flush()
    this.#sink.close()
  }

  #flush(): void {
    if (this.#busy || this.#waiting === '') return
    const text = this.#waiting
    const lines = this.#lines
    this.#waiting = ''
    this.#lines = 0
    this.#busy = true
    this.#sink.write(text, (error) => {
      this.#busy = false
      if (error) this.#drop(lines)
      this.#flush()
    })
  }

  #drop(lines: number): void {
    this.dropped += lines
    this.#onDrop?.(lines)
  }
}

/** The last lines are written by `close`; nothing is kept alive for them. */
const later = (flush: () => void): void => void setTimeout(flush, COLLECT_MS).unref()
