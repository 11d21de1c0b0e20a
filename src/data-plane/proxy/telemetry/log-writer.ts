import type { LineWriter } from './access-logger.ts'

/** Where lines end up. `done` is called once for each write, with an error or without; there is one write at a time, and until then the bytes stay as they are. */
export interface LineSink {
  write(bytes: Buffer, done: (error?: Error) => void): void
  close(): void
}

export interface LogWriterOptions {
  readonly sink: LineSink
  /** Bytes that may wait; what comes then is dropped. Default 1,048,576. */
  readonly limit?: number
  /** Runs something a moment later; default: after 50 ms. */
  readonly schedule?: (flush: () => void) => void
  readonly onDrop?: (lines: number) => void
}

/** Every write to a file wakes a thread: that costs more than the line. */
const COLLECT_MS = 50
/** Bytes that are written at once. */
const COLLECT = 32_768
/** Most bytes that a UTF-16 unit takes. */
const MAX_UNIT = 3

/** Lines that wait. They are bytes already: text that is put together of pieces costs the garbage collector most while it waits. */
interface Chunk {
  readonly bytes: Buffer
  length: number
  lines: number
}

/** Collects the lines of a moment and writes them at once. A slow or broken sink costs lines, never requests or memory. */
export class LogWriter implements LineWriter {
  /** Lines lost so far. */
  dropped = 0
  readonly #sink: LineSink
  readonly #limit: number
  readonly #schedule: (flush: () => void) => void
  readonly #onDrop: ((lines: number) => void) | undefined
  /** The last one still has room. */
  #waiting: Chunk[] = []
  #bytes = 0
  #spare: Buffer | undefined
  #busy = false
  #isScheduled = false

  constructor({ sink, limit = 1_048_576, schedule = later, onDrop }: LogWriterOptions) {
    this.#sink = sink
    this.#limit = limit
    this.#schedule = schedule
    this.#onDrop = onDrop
  }

  write(line: string): void {
    const chunk = this.#roomFor(line.length * MAX_UNIT)
    const length = chunk.bytes.utf8Write(line, chunk.length)
    if (this.#bytes + length > this.#limit) return this.#drop(1)
    chunk.length += length
    chunk.lines++
    this.#bytes += length
    if (this.#busy) return
    if (this.#bytes >= COLLECT) return this.#flush()
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

  #roomFor(bytes: number): Chunk & { readonly bytes: Utf8Buffer } {
    let chunk = this.#waiting.at(-1)
    if (!chunk || chunk.bytes.length - chunk.length < bytes) {
      const spare = bytes <= COLLECT + ROOM ? this.#spare : undefined
      if (spare) this.#spare = undefined
      chunk = { bytes: spare ?? Buffer.allocUnsafeSlow(Math.max(COLLECT + ROOM, bytes)), length: 0, lines: 0 }
      this.#waiting.push(chunk)
    }
    return chunk as Chunk & { readonly bytes: Utf8Buffer }
  }

  #flush(): void {
    if (this.#busy) return
    const chunk = this.#waiting.shift()
    if (!chunk) return
    this.#bytes -= chunk.length
    if (chunk.length === 0) return this.#flush()
    this.#busy = true
    this.#sink.write(chunk.bytes.subarray(0, chunk.length), (error) => {
      this.#busy = false
      if (chunk.bytes.length === COLLECT + ROOM) this.#spare = chunk.bytes
      if (error) this.#drop(chunk.lines)
      this.#flush()
    })
  }

  #drop(lines: number): void {
    this.dropped += lines
    this.#onDrop?.(lines)
  }
}

/** For a line behind the last that made a chunk full enough. */
const ROOM = 8_192

type Utf8Buffer = Buffer & { utf8Write(text: string, offset: number): number }

/** The last lines are written by `close`; nothing is kept alive for them. */
const later = (flush: () => void): void => void setTimeout(flush, COLLECT_MS).unref()
