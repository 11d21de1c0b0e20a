import type { Connection, ConnectionHandler } from '../../transport/contract.ts'
import { ErrorCode, type Http2Session } from './protocol.ts'

/** Above this nothing more is read from a peer that does not read what it gets for it. */
const PAUSE_BYTES = 524_288
/** Above this it has read nothing for too long. */
const MOST_BYTES = 4_194_304

const dirty: Wire[] = []
let isArmed = false

function flushAll(): void {
  isArmed = false
  const wires = dirty.splice(0)
  for (const wire of wires) wire.flush()
}

/** Connects a session to a connection: one write per connection and turn of the event loop, back-pressure both ways. */
export class Wire implements ConnectionHandler {
  readonly #session: Http2Session
  readonly #connection: Connection
  readonly #onClose: () => void
  #isBlocked = false
  #isPaused = false
  #isDirty = false
  #isClosed = false
  #endsAfterFlush = false
  /** Set whenever something came or went. */
  isActive = true
  /** Set whenever the peer took something. */
  progress = 0

  /** Takes over the connection; `onClose` is called once it is gone. */
  constructor(session: Http2Session, connection: Connection, onClose: () => void) {
    this.#session = session
    this.#connection = connection
    this.#onClose = onClose
  }

  onData(buffer: Buffer, start: number, end: number): void {
    this.isActive = true
    this.#session.receive(buffer, start, end)
    if (this.#session.output.unsentBytes > PAUSE_BYTES && this.#isBlocked) this.#pauseOrGiveUp()
  }

  #pauseOrGiveUp(): void {
    if (this.#session.output.unsentBytes > MOST_BYTES) return this.destroy('the peer does not read what it asks for')
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  onEnd(): void {
    // HTTP/2 has no half-closed connections.
    this.#session.closed(ErrorCode.noError, 'the peer closed the connection')
    this.#connection.end()
  }

  onDrain(): void {
    this.#isBlocked = false
    this.progress++
    if (this.#isPaused) {
      this.#isPaused = false
      this.#connection.resume()
    }
    this.flush()
  }

  onClose(error?: Error): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#session.closed(error === undefined ? ErrorCode.noError : ErrorCode.connectError, error?.message ?? 'the connection was closed')
    this.#onClose()
  }

  /** There is something to write at the end of this turn. */
  schedule(): void {
    if (this.#isDirty || this.#isClosed) return
    this.#isDirty = true
    dirty.push(this)
    if (isArmed) return
    isArmed = true
    setImmediate(flushAll)
  }

  /** Writes what there is. */
  flush(): void {
    this.#isDirty = false
    if (this.#isClosed || this.#isBlocked) return
    const { output, sender } = this.#session
    for (const chunk of output.take()) {
      if (!this.#connection.write(chunk, 0, chunk.length)) this.#isBlocked = true
      output.release(chunk)
    }
    if (this.#isClosed) return
    if (this.#isBlocked) return
    if (this.#endsAfterFlush) return this.#connection.end()
    this.progress++
    if (sender.waitingStreams > 0) sender.resume()
  }

  /** Writes what there is, then closes. */
  end(): void {
    this.#endsAfterFlush = true
    this.schedule()
  }

  /** Closes at once. */
  destroy(message: string): void {
    if (this.#isClosed) return
    this.#session.closed(ErrorCode.internalError, message)
    this.#connection.destroy()
  }
}
