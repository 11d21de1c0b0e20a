import type { Connection } from '../../transport/contract.ts'

/** Heads and small bodies are put together here; one for the whole process, because nothing waits while a message is put together. */
const SIZE = 64 * 1024
/** Bodies from this size on go out by themselves. */
const COPY_BELOW = 16 * 1024

/** Composes output of one connection so that a head and what follows at once leave in one write. */
export class OutputBuffer {
  readonly #connection: Connection
  #text = ''
  #parts: Buffer[] = []
  #bytes = 0
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
    this.#copy(buffer, start, end)
    this.#text += '\r\n'
    return this.flush()
  }

  /** @returns false: wait */
  bytes(buffer: Buffer, start: number, end: number): boolean {
    if (this.#text === '' && this.#parts.length === 0) return this.#connection.write(buffer, start, end)
    if (end - start >= COPY_BELOW) {
      this.flush()
      return this.#connection.write(buffer, start, end)
    }
    this.#copy(buffer, start, end)
    return this.flush()
  }

  /** Waits for what comes in the same turn, a body mostly. */
  flushSoon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.flush()
    })
  }

  /** @returns false: wait */
  flush(): boolean {
    if (this.#text === '' && this.#parts.length === 0) return this.#hasRoom
    const text = this.#text
    this.#text = ''
    if (this.#parts.length === 0 && text.length <= SIZE) {
      const length = scratch.latin1Write(text, 0)
      this.#hasRoom = this.#connection.write(scratch, 0, length)
      return this.#hasRoom
    }
    if (text !== '') this.#push(Buffer.from(text, 'latin1'))
    const parts = this.#parts
    const bytes = this.#bytes
    this.#parts = []
    this.#bytes = 0
    if (bytes <= SIZE) {
      let at = 0
      for (const part of parts) at += part.copy(scratch, at)
      this.#hasRoom = this.#connection.write(scratch, 0, at)
    } else for (const part of parts) this.#hasRoom = this.#connection.write(part)
    return this.#hasRoom
  }

  #copy(buffer: Buffer, start: number, end: number): void {
    if (this.#text !== '') this.#push(Buffer.from(this.#text, 'latin1'))
    this.#text = ''
    this.#push(buffer.subarray(start, end))
  }

  #push(part: Buffer): void {
    this.#parts.push(part)
    this.#bytes += part.length
  }
}

const scratch = Buffer.allocUnsafeSlow(SIZE) as Buffer & { latin1Write(text: string, offset: number): number }
