import type { Clock } from '../../../../base/clock.ts'
import { Http1Error, MAX_HEAD_BYTES } from '../../../../protocols/http1/index.ts'
import type { RequestHead } from '../../contract.ts'
import type { Connection, ConnectionHandler } from '../../transport/contract.ts'
import type { DownstreamEvents, DownstreamStream } from '../contract.ts'
import { HeaderList } from '../header-list.ts'
import type { Deadline, TimerWheel } from '../timer-wheel.ts'
import { OutputBuffer } from './output-buffer.ts'
import { Http1RequestReader } from './request-reader.ts'
import { Http1ResponseWriter } from './response-writer.ts'

export interface ServeHttp1Options {
  readonly clock: Clock
  readonly wheel: TimerWheel
  /** Default 65,536. */
  readonly maxHeadBytes?: number
  /** From the first byte of a head to its last. Default 10,000. */
  readonly headTimeoutMs?: number
  /** Without a request. Default 3,600,000. */
  readonly idleTimeoutMs?: number
  /** 0: none. */
  readonly maxConnectionDurationMs?: number
  /** Scheme of requests that do not say. Default http. */
  readonly scheme?: string
  readonly onClose?: () => void
  /** A message that was refused before it became an exchange. */
  readonly onBadRequest?: (error: Http1Error) => void
}

export interface ServedHttp1 {
  /**
   * Closes behind the response of now; where there is none behind the next one, for which a moment is left. May be called again.
   * @param idleMs the moment; default 1,000; 0: closes at once, for clients that may not ask any more
   */
  drain(idleMs?: number): void
  destroy(): void
  readonly activeStreams: number
}

type OpenExchange = (stream: DownstreamStream, head: RequestHead) => DownstreamEvents

const HEAD_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 3_600_000
/** What a client may still send after an answer that came early, before the connection is closed on it. */
const MAX_DRAINED_BYTES = 256 * 1024
const LINGER_MS = 2_000
const DRAIN_IDLE_MS = 1_000

/**
 * Serves HTTP/1.1 on a connection: requests one after another, pipelined ones wait for the answer before them. What cannot be read for certain gets 400, 431 or
 * 505 and the connection is closed. Source: RFC 9112.
 */
export function serveHttp1(connection: Connection, options: ServeHttp1Options, openExchange: OpenExchange): ServedHttp1 {
  return new Http1Server(connection, options, openExchange)
}

class Http1Server implements ServedHttp1, ConnectionHandler {
  readonly #connection: Connection
  readonly #options: ServeHttp1Options
  readonly #openExchange: OpenExchange
  readonly #reader: Http1RequestReader
  readonly #out: OutputBuffer
  readonly #deadline: Deadline
  readonly #lifetime: Deadline | undefined
  #current: Current | undefined
  /** Bytes of requests behind the one that is being answered. */
  #waiting: Buffer[] = []
  #isDraining = false
  #isClosing = false
  #lingered = 0
  #peerEnded = false

  constructor(connection: Connection, options: ServeHttp1Options, openExchange: OpenExchange) {
    this.#connection = connection
    this.#options = options
    this.#openExchange = openExchange
    this.#out = new OutputBuffer(connection)
    this.#reader = new Http1RequestReader(options.maxHeadBytes ?? MAX_HEAD_BYTES, options.scheme ?? 'http')
    this.#deadline = options.wheel.deadline(() => this.#timedOut())
    this.#deadline.set(options.idleTimeoutMs ?? IDLE_TIMEOUT_MS)
    if (options.maxConnectionDurationMs) {
      this.#lifetime = options.wheel.deadline(() => this.drain())
      this.#lifetime.set(options.maxConnectionDurationMs)
    }
    connection.handle(this)
  }

  get activeStreams(): number {
    return this.#current ? 1 : 0
  }

  drain(idleMs = DRAIN_IDLE_MS): void {
    const isNew = !this.#isDraining
    this.#isDraining = true
    this.#current?.writer.closeAfter()
    // a client that writes a request just now would not know whether it has been carried out: it gets its answer, and goes with that
    if (this.#current || this.#reader.isInside) return
    if (idleMs === 0) this.#close()
    else if (isNew) this.#deadline.set(idleMs)
  }

  destroy(): void {
    this.#connection.destroy()
  }

  onData(buffer: Buffer, start: number, end: number): void {
    if (this.#isClosing) return this.#linger(end - start)
    const current = this.#current
    if (current?.isTunnel) return current.events.onData(buffer, start, end)
    if (current && this.#reader.isWhole) {
      this.#hold(buffer, start, end)
      return
    }
    this.#read(buffer, start, end)
  }

  onEnd(): void {
    this.#peerEnded = true
    const current = this.#current
    if (this.#isClosing) return this.#connection.destroy()
    if (!current) return this.#close()
    if (current.isTunnel) return current.events.onEnd()
    // a client that waits for an answer keeps its side open, as nginx and Envoy see it too
    current.reset('gone')
    this.#connection.destroy()
  }

  onDrain(): void {
    this.#current?.events.onDrain()
  }

  onClose(): void {
    this.#deadline.cancel()
    this.#lifetime?.cancel()
    const current = this.#current
    this.#current = undefined
    current?.reset('gone')
    this.#options.onClose?.()
  }

  #read(buffer: Buffer, start: number, end: number): void {
    let at = start
    try {
      while (at < end) {
        if (this.#current && !this.#reader.isWhole) {
          const { events } = this.#current
          at = this.#reader.readBody(buffer, at, end, events)
          if (this.#reader.isWhole) this.#requestWhole(events)
          continue
        }
        if (this.#current?.isTunnel) return this.#current.events.onData(buffer, at, end)
        if (this.#current) return this.#hold(buffer, at, end)
        if (this.#isClosing) return
        const isFirst = !this.#reader.isInside
        const found = this.#reader.readHead(buffer, at, end)
        if (!found) {
          if (isFirst) this.#deadline.set(this.#options.headTimeoutMs ?? HEAD_TIMEOUT_MS)
          return
        }
        at = found.end
        this.#begin(found.head)
      }
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error
      this.#refuse(error)
    }
  }

  #begin(head: RequestHead): void {
    const { request } = this.#reader
    const writer = new Http1ResponseWriter(this.#connection, this.#out, {
      method: head.method,
      isHttp10: request?.isHttp10 ?? false,
      keepsAlive: !this.#isDraining && !this.#peerEnded && (this.#reader.keepsAlive ?? true),
    })
    const current = new Current(writer, this)
    this.#current = current
    const events = this.#openExchange(current, head)
    current.begin(events)
    // the body is wanted: whoever does not want it has answered by now, or will close
    if (request?.expectContinue && !this.#reader.isWhole && !current.isAnswered) writer.informational(100, NO_HEADERS)
  }

  #requestWhole(events: DownstreamEvents): void {
    const trailers = this.#reader.trailers
    if (trailers) events.onTrailers(trailers)
    events.onEnd()
    if (this.#current?.isAnswered) this.#next()
  }

  #hold(buffer: Buffer, start: number, end: number): void {
    this.#waiting.push(Buffer.copyBytesFrom(buffer, start, end - start))
    // a client that pipelines more than a few requests has to wait
    this.#connection.pause()
  }

  /** The response is out. */
  answered(current: Current): void {
    if (current !== this.#current) return
    if (this.#reader.isWhole) return this.#next()
    // an early answer: what is left of the request is of no interest, and the next one begins behind it
    if (current.writer.willClose || this.#reader.restBytes > MAX_DRAINED_BYTES) this.#close()
  }

  tunnelled(): void {
    this.#reader.tunnel()
  }

  aborted(): void {
    this.#current = undefined
    this.#connection.destroy()
  }

  #next(): void {
    const current = this.#current
    this.#current = undefined
    if (!current || current.writer.willClose || this.#isDraining || this.#peerEnded) return this.#close()
    this.#reader.next()
    const { wheel, idleTimeoutMs = IDLE_TIMEOUT_MS } = this.#options
    // the time of a request's head may still run: it is put off, and nothing happens when it comes while a request is answered
    if (idleTimeoutMs > 0) this.#deadline.setAt(wheel.soonMs() + idleTimeoutMs)
    else this.#deadline.cancel()
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    // not deeper and deeper with each pipelined request
    setImmediate(() => {
      const bytes = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting)
      this.#connection.resume()
      this.#read(bytes, 0, bytes.length)
    })
  }

  pauseRequest(): void {
    this.#connection.pause()
  }

  resumeRequest(): void {
    if (this.#waiting.length === 0) this.#connection.resume()
  }

  #refuse(error: Http1Error): void {
    this.#options.onBadRequest?.(error)
    const current = this.#current
    this.#current = undefined
    if (current) {
      const hadHead = current.writer.hasHead
      current.reset('protocol')
      if (hadHead) return this.#connection.destroy()
    }
    const body = Buffer.from(`${error.message}\n`)
    const head = `HTTP/1.1 ${error.status} ${error.status === 400 ? 'Bad Request' : error.status === 431 ? 'Request Header Fields Too Large' : 'HTTP Version Not Supported'}\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
    this.#connection.write(Buffer.concat([Buffer.from(head, 'latin1'), body]))
    this.#close()
  }

  #timedOut(): void {
    if (this.#isClosing) return this.#connection.destroy()
    if (this.#current) return
    if (this.#reader.isInside) {
      this.#connection.write(Buffer.from('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'))
    }
    this.#close()
  }

  /** What was written goes out; what still comes is read and dropped for a moment, so that no reset takes the answer away (RFC 9112 section 9.6). */
  #close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#waiting = []
    this.#connection.end()
    if (this.#peerEnded) return
    this.#connection.resume()
    this.#deadline.set(LINGER_MS)
  }

  #linger(bytes: number): void {
    this.#lingered += bytes
    if (this.#lingered > MAX_DRAINED_BYTES) this.#connection.destroy()
  }
}

/** The request that is being answered. */
class Current implements DownstreamStream {
  readonly writer: Http1ResponseWriter
  readonly #server: Http1Server
  #events: DownstreamEvents | undefined
  #isOver = false
  isTunnel = false

  constructor(writer: Http1ResponseWriter, server: Http1Server) {
    this.writer = writer
    this.#server = server
  }

  begin(events: DownstreamEvents): void {
    this.#events = events
  }

  get events(): DownstreamEvents {
    return this.#events ?? NOBODY
  }

  get isAnswered(): boolean {
    return this.#isOver
  }

  reset(reason: 'gone' | 'protocol' | 'cancel' | 'internal' | 'refused' | 'timeout'): void {
    if (this.#isOver) return
    this.#isOver = true
    if (reason === 'gone' || reason === 'protocol') this.events.onReset(reason)
    else this.#server.aborted()
  }

  sendInformational(status: number, headers: Parameters<DownstreamStream['sendInformational']>[1]): void {
    if (!this.#isOver) this.writer.informational(status, headers)
  }

  sendHead(head: Parameters<DownstreamStream['sendHead']>[0], end: boolean): void {
    if (this.#isOver) return
    if (head.status === 101) {
      this.isTunnel = true
      this.#server.tunnelled()
    }
    this.writer.head(head, end)
    if (end) this.#answered()
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#isOver || this.writer.body(buffer, start, end)
  }

  end(trailers?: Parameters<DownstreamStream['end']>[0]): void {
    if (this.#isOver) return
    this.writer.end(trailers)
    if (this.isTunnel) this.writer.closeAfter()
    this.#answered()
  }

  pause(): void {
    if (!this.#isOver) this.#server.pauseRequest()
  }

  resume(): void {
    this.#server.resumeRequest()
  }

  #answered(): void {
    this.#isOver = true
    this.#server.answered(this)
  }
}

const NO_HEADERS = new HeaderList()
const NOBODY: DownstreamEvents = { onData() {}, onTrailers() {}, onEnd() {}, onDrain() {}, onReset() {} }
