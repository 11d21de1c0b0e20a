import type { Connection } from '../../transport/contract.ts'

/** Heads and small bodies are put together here; one for the whole process, because nothing waits while a message is put together. */
const SIZE = 64 * 1024
/** Bodies from this size on go out by themselves. */
const COPY_BELOW = 16 * 1024

/** Composes output of one connection so that a head and what follows at once leave in one write. */
export class OutputBuffer {
  readonly #connection: Connection
  readonly #flushNow = (): void => this.flushScheduled()
  #text = ''
  #isScheduled = false
  #hasRoom = true

  constructor(connection: Connection) {
    this.#connection = connection
  }

  text(text: string): void {
    this.#text += text
  }

  field(name: string, value: string): void {
    this.#text += `${name}: ${value}\r\n`
  }

  /** A chunk of its own. @returns false: wait */
  chunk(buffer: Buffer, start: number, end: number): boolean {
    this.#text += `${(end - start).toString(16)}\r\n`
    return this.#with(buffer, start, end, '\r\n')
  }

  /** @returns false: wait */
  bytes(buffer: Buffer, start: number, end: number): boolean {
    return this.#with(buffer, start, end, '')
  }

  /** Waits for what comes in the same turn, a body mostly. */
  flushSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    if (reads > 0) soon.push(this)
    // cheaper than queueMicrotask, which notes who has asked
    else void RESOLVED.then(this.#flushNow)
  }

  flushScheduled(): void {
    this.#isScheduled = false
    this.flush()
  }

  /** @returns false: wait */
  flush(): boolean {
    const text = this.#text
    if (text === '') return this.#hasRoom
    this.#text = ''
    this.#hasRoom =
      text.length > SIZE
        ? this.#connection.write(Buffer.from(text, 'latin1'))
        : this.#connection.write(scratch, 0, scratch.latin1Write(text, 0))
    return this.#hasRoom
  }

  #with(buffer: Buffer, start: number, end: number, after: string): boolean {
    const text = this.#text
    const size = end - start
    if (size >= COPY_BELOW || text.length + size > SIZE - 2) {
      this.flush()
      this.#text = after
      this.#hasRoom = this.#connection.write(buffer, start, end)
      return this.flush()
    }
    if (text === '' && after === '') return (this.#hasRoom = this.#connection.write(buffer, start, end))
    this.#text = ''
    let at = text === '' ? 0 : scratch.latin1Write(text, 0)
    at += buffer.copy(scratch, at, start, end)
    if (after !== '') at += scratch.latin1Write(after, at)
    this.#hasRoom = this.#connection.write(scratch, 0, at)
    return this.#hasRoom
  }
}

const RESOLVED = Promise.resolve()

/** Reads that are being worked through, and what is to go out behind them. */
let reads = 0
const soon: OutputBuffer[] = []

/** Begins to work through bytes that have come: what is to be flushed soon waits for `readEnded`. */
export function readBegins(): void {
  reads++
}

export function readEnded(): void {
  if (--reads > 0) return
  for (let at = 0; at < soon.length; at++) (soon[at] as OutputBuffer).flushScheduled()
  soon.length = 0
}

const scratch = Buffer.allocUnsafeSlow(SIZE) as Buffer & { latin1Write(text: string, offset: number): number }
