import type { Duplex } from 'node:stream'
import { encodeData, encodeGoaway, encodePing, encodeReply, encodeReset, SpdyError, SpdyFrameReader, type SpdyFrame } from './frames.ts'
import { emptyHeaderBlock, SpdyHeaderReader } from './headers.ts'

/** A stream that the client has opened. What the client sends on it is thrown away: exec without stdin has no use for it. */
export interface SpdyStream {
  readonly id: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Resolves when there is room for more; at once when the client has gone or has cancelled the stream. */
  write(bytes: Uint8Array): Promise<void>
  /** Ends this direction. */
  end(): void
}

export interface SpdySessionOptions {
  readonly onStream: (stream: SpdyStream) => void
  /** Streams of one connection, after which more are refused. Default 8. */
  readonly maxStreams?: number
}

const REFUSED = 3

/**
 * The server's end of a SPDY/3.1 connection on which the 101 has been sent. Without SPDY's flow control, which clients of Kubernetes do not have: TCP's holds
 * back a writer that is too fast. Input that is not SPDY ends the connection.
 */
export class SpdySession {
  readonly #socket: Duplex
  readonly #options: SpdySessionOptions
  readonly #frames = new SpdyFrameReader()
  readonly #headers = new SpdyHeaderReader()
  readonly #writable = new Set<number>()
  #opened = 0
  #replied = false
  #lastStream = 0

  constructor(socket: Duplex, options: SpdySessionOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('data', (bytes: Uint8Array) => this.#read(bytes))
  }

  /** Says goodbye and closes the connection once all is written. */
  close(): void {
    if (this.#socket.writable) this.#socket.end(encodeGoaway(this.#lastStream))
  }

  #read(bytes: Uint8Array): void {
    try {
      for (const frame of this.#frames.push(bytes)) this.#take(frame)
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error
      this.#socket.destroy(error)
    }
  }

  #take(frame: SpdyFrame): void {
    switch (frame.type) {
      case 'open':
        return this.#open(frame.stream, this.#headers.read(frame.headers))
      case 'headers':
        // to keep the window in step
        return void this.#headers.read(frame.headers)
      case 'reset':
        return void this.#writable.delete(frame.stream)
      case 'ping':
        // an odd number is one of the client's: ours would not come back as a question
        return frame.id % 2 === 1 ? void this.#socket.write(encodePing(frame.id)) : undefined
      case 'goaway':
        return void this.#socket.end()
      default:
    }
  }

  #open(id: number, headers: ReadonlyMap<string, string>): void {
    if (id <= this.#lastStream || id % 2 === 0) throw new SpdyError(`stream ${id} after ${this.#lastStream}: a client's are odd and grow`)
    this.#lastStream = id
    if (++this.#opened > (this.#options.maxStreams ?? 8)) return void this.#socket.write(encodeReset(id, REFUSED))
    this.#writable.add(id)
    this.#socket.write(encodeReply(id, emptyHeaderBlock(!this.#replied)))
    this.#replied = true
    this.#options.onStream({
      id,
      headers,
      write: (bytes) => this.#send(id, bytes),
      end: () => {
        if (this.#socket.writable && this.#writable.delete(id)) this.#socket.write(encodeData(id, new Uint8Array(), true))
      },
    })
  }

  #send(id: number, bytes: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (!socket.writable || !this.#writable.has(id) || bytes.length === 0 || socket.write(encodeData(id, bytes, false)))
      return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done)
        resolve()
      }
      socket.on('drain', done).on('close', done)
    })
  }
}
