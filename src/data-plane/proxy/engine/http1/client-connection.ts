import { randomBytes } from 'node:crypto'
import { ChunkDecoder, HeadReader, Http1Error, parseResponseHead, type ParsedResponse } from '../../../../protocols/http1/index.ts'
import type { Headers, RequestHead, UpstreamFailure } from '../../contract.ts'
import type { Connection, ConnectionHandler } from '../../transport/contract.ts'
import type { UpstreamEvents, UpstreamRequest, UpstreamStream } from '../contract.ts'
import { HeaderList } from '../header-list.ts'
import type { Deadline } from '../timer-wheel.ts'
import { OutputBuffer, readBegins, readEnded } from './output-buffer.ts'

/** Who keeps the connection when nothing is asked on it. */
export interface ConnectionOwner {
  /** It can take the next request. */
  released(connection: Http1ClientConnection): void
  closed(connection: Http1ClientConnection): void
}

/** Doing these twice does no harm (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/** A connection to a server that speaks HTTP/1.1: one request at a time. */
export class Http1ClientConnection implements ConnectionHandler {
  readonly #connection: Connection
  readonly #owner: ConnectionOwner
  readonly #out: OutputBuffer
  #heads = new HeadReader()
  #chunks: ChunkDecoder | undefined
  #rest = 0
  #response: ParsedResponse | undefined
  #exchange: ClientExchange | undefined
  #isClosed = false
  #canReuse = true
  /** Requests that it has been given. */
  requests = 0
  /** Nothing is asked on it; set by the owner, as is what happens when that takes too long. */
  isIdle = false
  idle: Deadline | undefined
  readonly openedMs: number

  constructor(connection: Connection, owner: ConnectionOwner, openedMs: number) {
    this.openedMs = openedMs
    this.#connection = connection
    this.#owner = owner
    this.#out = new OutputBuffer(connection)
    connection.handle(this)
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  send(request: UpstreamRequest, events: UpstreamEvents, stream: ClientExchange): void {
    this.requests++
    this.#exchange = stream
    this.#response = undefined
    this.#chunks = undefined
    stream.attach(this, this.requests > 1)
    this.#writeHead(request, stream)
    events.onReady()
    // a body that is there already goes out with the head
    this.#out.flush()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  // what a request does

  writeBody(buffer: Buffer, start: number, end: number, isChunked: boolean): boolean {
    if (end === start) return true
    return isChunked ? this.#out.chunk(buffer, start, end) : this.#out.bytes(buffer, start, end)
  }

  endBody(trailers: Headers | undefined, isChunked: boolean): void {
    if (isChunked) {
      this.#out.text('0\r\n')
      trailers?.forEach((name, value) => this.#out.field(name, value))
      this.#out.text('\r\n')
    }
    this.#out.flush()
    this.#finishIfDone()
  }

  halfClose(): void {
    this.#connection.end()
  }

  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  // what the server does

  onData(buffer: Buffer, start: number, end: number): void {
    const exchange = this.#exchange
    // nobody asked: whatever it is, it is no answer to the next request
    if (!exchange) return this.#connection.destroy()
    exchange.hasBytes = true
    readBegins()
    try {
      this.#read(buffer, start, end)
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error
      this.#fail({ kind: 'protocol', message: error.message, unprocessed: false })
    } finally {
      readEnded()
    }
  }

  onEnd(): void {
    const exchange = this.#exchange
    if (exchange?.isTunnel || this.#response?.framing.type === 'close') return this.#responseEnded(undefined)
    this.#connection.destroy()
  }

  onDrain(): void {
    this.#exchange?.events.onDrain()
  }

  onClose(error?: Error): void {
    this.#isClosed = true
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#owner.closed(this)
    if (!exchange) return
    const unprocessed = exchange.isReused && !exchange.hasBytes && IDEMPOTENT.has(exchange.method)
    const message = error ? error.message : 'the upstream closed the connection'
    exchange.events.onFailure({ kind: error ? 'reset' : 'closed', message, unprocessed })
  }

  #read(buffer: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      const exchange = this.#exchange
      if (!exchange) {
        // surplus: where the next response begins is not certain any more
        this.#connection.destroy()
        return
      }
      if (exchange.isTunnel) return exchange.events.onData(buffer, at, end)
      if (!this.#response) {
        const found = this.#heads.read(buffer, at, end)
        if (!found) return
        at = found.end
        this.#headRead(parseResponseHead(found.text, exchange.method), exchange)
        continue
      }
      at = this.#readBody(buffer, at, end, exchange)
    }
  }

  #headRead(response: ParsedResponse, exchange: ClientExchange): void {
    const { status, framing, fields } = response
    if (status === 101) {
      if (exchange.upgrade === undefined) throw new Http1Error('BadStartLine', 'the upstream switches protocols though nobody asked')
      exchange.isTunnel = true
      this.#canReuse = false
      const headers = new HeaderList(fields)
      headers.append('upgrade', response.upgraded ?? exchange.upgrade)
      exchange.events.onHead({ status, headers, endsWithHead: false }, false)
      return
    }
    if (status < 200) {
      if (status !== 100) exchange.events.onInformational(status, new HeaderList(fields))
      return
    }
    this.#response = response
    this.#chunks = framing.type === 'chunked' ? new ChunkDecoder() : undefined
    this.#rest = framing.type === 'length' ? framing.bytes : 0
    if (response.close || (response.isHttp10 && !response.keepAlive) || framing.type === 'close') this.#canReuse = false
    const end = framing.type === 'none'
    const head = { status, headers: new HeaderList(fields), endsWithHead: end }
    if (end) this.#complete()
    exchange.events.onHead(head, end)
    if (end) this.#finishIfDone()
  }

  #readBody(buffer: Buffer, start: number, end: number, exchange: ClientExchange): number {
    const { events } = exchange
    if (this.#chunks) {
      const at = this.#chunks.decode(buffer, start, end, events)
      if (this.#chunks.isDone) {
        const { trailers } = this.#chunks
        this.#responseEnded(trailers.length > 0 ? new HeaderList(trailers) : undefined)
      }
      return at
    }
    if (this.#response?.framing.type === 'close') {
      events.onData(buffer, start, end)
      return end
    }
    const take = Math.min(this.#rest, end - start)
    this.#rest -= take
    if (take > 0) events.onData(buffer, start, start + take)
    if (this.#rest === 0) this.#responseEnded(undefined)
    return start + take
  }

  #complete(): void {
    const exchange = this.#exchange
    if (exchange) exchange.hasResponse = true
  }

  #responseEnded(trailers: Headers | undefined): void {
    const exchange = this.#exchange
    if (!exchange) return
    this.#complete()
    exchange.events.onEnd(trailers)
    if (exchange.isTunnel || !this.#canReuse) {
      this.#exchange = undefined
      // a tunnel has two directions: what still goes the other way is not cut off
      if (exchange.isTunnel) this.#connection.end()
      else this.#connection.destroy()
      return
    }
    this.#finishIfDone()
  }

  /** Both messages are whole: the next request may come. */
  #finishIfDone(): void {
    const exchange = this.#exchange
    if (!exchange?.hasResponse) return
    // an answer that came before the request was whole: what is left of it has nowhere to go
    if (!exchange.isSent || !this.#canReuse) {
      this.#exchange = undefined
      this.#connection.destroy()
      return
    }
    this.#exchange = undefined
    this.#heads = new HeadReader()
    this.#connection.resume()
    this.#owner.released(this)
  }

  cancelled(exchange: ClientExchange): void {
    if (exchange !== this.#exchange) return
    this.#exchange = undefined
    this.#connection.destroy()
  }

  #fail(failure: UpstreamFailure): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#connection.destroy()
    exchange?.events.onFailure(failure)
  }

  #writeHead({ head, hasBody }: UpstreamRequest, stream: ClientExchange): void {
    const out = this.#out
    const { headers, upgrade } = head
    const isExtendedConnect = upgrade !== undefined && head.method === 'CONNECT'
    out.text(`${isExtendedConnect ? 'GET' : head.method} ${head.path} HTTP/1.1\r\nhost: ${head.authority}\r\n`)
    let hasLength = false
    let cookie: string | undefined
    headers.forEach((name, value) => {
      if (name === 'content-length') hasLength = true
      // HTTP/2 may have taken the cookie apart (RFC 9113 section 8.2.3)
      if (name === 'cookie') cookie = cookie === undefined ? value : `${cookie}; ${value}`
      else out.field(name, value)
    })
    if (cookie !== undefined) out.field('cookie', cookie)
    if (upgrade !== undefined) {
      out.text(`connection: Upgrade\r\nupgrade: ${upgrade}\r\n`)
      // what HTTP/2 does without (RFC 8441 section 5), unless the client came by HTTP/1.1
      if (isExtendedConnect && upgrade === 'websocket' && !headers.has('sec-websocket-key'))
        out.text(`sec-websocket-key: ${randomBytes(16).toString('base64')}\r\n`)
    } else if (hasBody && !hasLength) {
      stream.isChunked = true
      out.text('transfer-encoding: chunked\r\n')
    }
    out.text('\r\n')
    stream.isSent = !hasBody
  }
}

/** One request and its answer on such a connection; also before it has one. */
export class ClientExchange implements UpstreamStream {
  readonly events: UpstreamEvents
  readonly method: string
  readonly upgrade: string | undefined
  #connection: Http1ClientConnection | undefined
  readonly #onCancel: (exchange: ClientExchange) => void
  isReused = false
  isChunked = false
  /** The request is out. */
  isSent = false
  /** Something of an answer has come. */
  hasBytes = false
  hasResponse = false
  isTunnel = false
  isCancelled = false

  constructor(head: RequestHead, events: UpstreamEvents, onCancel: (exchange: ClientExchange) => void) {
    this.events = events
    this.method = head.method
    this.upgrade = head.upgrade
    this.#onCancel = onCancel
  }

  attach(connection: Http1ClientConnection, isReused: boolean): void {
    this.#connection = connection
    this.isReused = isReused
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#connection?.writeBody(buffer, start, end, this.isChunked) ?? false
  }

  end(trailers?: Headers): void {
    if (this.isTunnel) return this.#connection?.halfClose()
    if (this.isSent) return
    this.isSent = true
    this.#connection?.endBody(trailers, this.isChunked)
  }

  cancel(): void {
    if (this.isCancelled) return
    this.isCancelled = true
    if (this.#connection) this.#connection.cancelled(this)
    else this.#onCancel(this)
  }

  pause(): void {
    this.#connection?.pause()
  }

  resume(): void {
    this.#connection?.resume()
  }
}
