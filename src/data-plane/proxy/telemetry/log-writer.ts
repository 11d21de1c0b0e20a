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
  /** Runs something after this turn of the event loop; default `setImmediate`. */
  readonly schedule?: (flush: () => void) => void
  readonly onDrop?: (lines: number) => void
}

/** Collects the lines of one turn of the event loop and writes them at once. A slow or broken sink costs lines, never requests or memory. */
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

  constructor({ sink, limit = 1_048_576, schedule = (flush) => void setImmediate(flush), onDrop }: LogWriterOptions) {
    this.#sink = sink
    this.#limit = limit
    this.#schedule = schedule
    this.#onDrop = onDrop
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > this.#limit) return this.#drop(1)
    this.#waiting += line
    this.#lines++
    if (this.#isScheduled || this.#busy) return
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
