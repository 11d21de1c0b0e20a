import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import { backoffMs, type Random } from '../base/backoff.ts'
import { sleep, type Clock, type Timer } from '../base/clock.ts'
import { messageOf } from '../base/errors.ts'
import { TransportError } from './transport-error.ts'

export interface Http2ConnectionsOptions {
  /** Begins to connect; the session tells the rest by its events. */
  readonly dial: () => ClientHttp2Session
  readonly clock: Clock
  readonly random: Random
  /** Named in errors. */
  readonly server: string
}

/** Bytes the server may send on all streams together before we have read them: big lists must not wait for updates. */
const CONNECTION_WINDOW = 64 * 1024 * 1024
const DIAL_TIMEOUT_MS = 10_000
/** Least time between two dials after failures: requests that come meanwhile wait and share the next one. */
const REDIAL = { baseMs: 50, maxMs: 1_000, jitter: 0.5 }
/** A silent peer is asked for a sign of life, and given up when none comes. Source: client-go HTTP/2 health check. */
const PING_INTERVAL_MS = 30_000
const PING_TIMEOUT_MS = 15_000

interface Connection {
  readonly session: ClientHttp2Session
  active: number
}

/**
 * HTTP/2 sessions to one server: one as long as it takes the streams, more when the server limits their number.
 * A session that breaks or is told to go away is replaced by the next request.
 */
export class Http2Connections {
  readonly #options: Http2ConnectionsOptions
  readonly #open = new Set<Connection>()
  #dialing: Promise<Connection> | undefined
  #failures = 0
  #failedAtMs = 0
  readonly #closed = new AbortController()

  constructor(options: Http2ConnectionsOptions) {
    this.#options = options
  }

  /** Opens a stream. @throws {TransportError} `Unreachable`, `Refused`, `Closed` */
  async request(headers: OutgoingHttpHeaders, endStream: boolean): Promise<ClientHttp2Stream> {
    const connection = await this.#connection()
    let stream: ClientHttp2Stream
    try {
      stream = connection.session.request(headers, { endStream })
    } catch (error) {
      // the session ended between two events: nothing was sent
      connection.active--
      this.#open.delete(connection)
      throw new TransportError('Refused', `connection to ${this.#options.server} ended: ${messageOf(error)}`, { cause: error })
    }
    // readers listen themselves; a stream nobody reads any more must not end the process
    stream.on('error', () => {})
    stream.once('close', () => connection.active--)
    return stream
  }

  /** Breaks all streams. */
  async close(): Promise<void> {
    this.#closed.abort(new TransportError('Closed', `the transport to ${this.#options.server} is closed`))
    const sessions = [...this.#open].map(({ session }) => session)
    await Promise.all(
      sessions.map((session) => {
        const closed = new Promise<void>((resolve) => (session.destroyed ? resolve() : session.once('close', () => resolve())))
        session.destroy()
        return closed
      }),
    )
  }

  /** A connection with one more stream counted on it. */
  async #connection(): Promise<Connection> {
    for (;;) {
      this.#closed.signal.throwIfAborted()
      for (const connection of this.#open) if (reserve(connection)) return connection
      const connection = await (this.#dialing ??= this.#dial().finally(() => (this.#dialing = undefined)))
      // those who waited with us may have filled it, and then one more is needed
      if (this.#open.has(connection) && reserve(connection)) return connection
    }
  }

  async #dial(): Promise<Connection> {
    const { clock, random } = this.#options
    if (this.#failures > 0) {
      const wait = this.#failedAtMs + backoffMs(this.#failures, REDIAL, random) - clock.monotonic()
      if (wait > 0) await sleep(clock, wait, this.#closed.signal)
    }
    try {
      const connection = await this.#connect()
      this.#failures = 0
      return connection
    } catch (error) {
      this.#failures++
      this.#failedAtMs = clock.monotonic()
      this.#closed.signal.throwIfAborted()
      throw new TransportError('Unreachable', `cannot reach ${this.#options.server}: ${messageOf(error)}`, { cause: error })
    }
  }

  #connect(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const session = this.#options.dial()
      const connection: Connection = { session, active: 0 }
      const abort = (): void => session.destroy(this.#closed.signal.reason as Error)
      this.#closed.signal.addEventListener('abort', abort, { once: true })
      const timer = this.#options.clock.after(DIAL_TIMEOUT_MS, () => session.destroy(new Error(`no answer in ${DIAL_TIMEOUT_MS} ms`)))
      // also keeps errors from becoming uncaught: streams report them to their readers
      session.on('error', reject)
      session.once('close', () => {
        timer.cancel()
        this.#closed.signal.removeEventListener('abort', abort)
        this.#open.delete(connection)
        reject(new Error('connection closed'))
      })
      session.once('goaway', () => this.#open.delete(connection))
      // a server's first frame (RFC 9113 section 3.4): only now is it known how many streams it takes
      session.once('remoteSettings', () => {
        timer.cancel()
        session.setLocalWindowSize(CONNECTION_WINDOW)
        this.#open.add(connection)
        this.#keepAlive(session)
        resolve(connection)
      })
    })
  }

  #keepAlive(session: ClientHttp2Session): void {
    const { clock, server } = this.#options
    let timer: Timer
    const onSilence = (): void => {
      session.destroy(new TransportError('ConnectionLost', `${server} did not answer a ping in ${PING_TIMEOUT_MS} ms`))
    }
    const ping = (): void => {
      timer = clock.after(PING_TIMEOUT_MS, onSilence)
      session.ping((error) => {
        timer.cancel()
        if (!error && !session.destroyed) timer = clock.after(PING_INTERVAL_MS, ping)
      })
    }
    timer = clock.after(PING_INTERVAL_MS, ping)
    session.once('close', () => timer.cancel())
  }
}

function reserve(connection: Connection): boolean {
  const { session } = connection
  if (session.closed || session.destroyed || connection.active >= (session.remoteSettings.maxConcurrentStreams ?? Infinity)) return false
  connection.active++
  return true
}
