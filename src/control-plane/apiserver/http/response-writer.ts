import type { ServerResponse as Http1Response } from 'node:http'
import { constants as http2, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import { constants as zlib, createGzip } from 'node:zlib'
import type { Clock } from '../../../base/clock.ts'
import type { Payload, ServerResponse } from '../contract.ts'

export interface WriterOptions {
  readonly clock: Clock
  /** A client that takes nothing for this long while more waits for it is cut off. */
  readonly stallTimeoutMs: number
  /** Compress JSON above 128 KiB: the client asked for it and is not on this machine. */
  readonly gzip: boolean
  /** Aborted when the client goes away or the server shuts down. */
  readonly signal: AbortSignal
}

/** What was sent, for logs and metrics. */
export interface Sent {
  /** False when the client went away or stalled, or the signal aborted, before the end. */
  readonly complete: boolean
}

type Response = Http1Response | Http2ServerResponse

/** Bytes handed to the socket at once: enough to keep it busy, little enough for a thousand stuck clients. */
const BLOCK_BYTES = 64 * 1024
const EVENT_BLOCK_BYTES = 16 * 1024
/** Source: k8s.io/apiserver defaultGzipThresholdBytes. */
const GZIP_FROM_BYTES = 128 * 1024

/** Sends a whole answer with back-pressure: never more than one block waits in memory for a slow client. */
export async function writeResponse(response: Response, answer: ServerResponse, options: WriterOptions): Promise<Sent> {
  const outlet = new Outlet(response, options)
  const body = answer.body
  if (body.type === 'events' || body.type === 'stream') return streamAnswer(outlet, answer, body)
  const chunks = jsonChunks(body)
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  const gzip = options.gzip && size > GZIP_FROM_BYTES
  if (gzip) {
    outlet.head(answer, { 'content-encoding': 'gzip' })
    await outlet.writeAll(compressed(chunks))
  } else {
    outlet.head(answer, { 'content-length': String(size) })
    if (size <= BLOCK_BYTES) return outlet.end(Buffer.concat(chunks, size))
    await outlet.writeAll(blocks(chunks))
  }
  return outlet.end()
}

async function streamAnswer(outlet: Outlet, answer: ServerResponse, body: Extract<Payload, { type: 'events' | 'stream' }>): Promise<Sent> {
  outlet.head(answer, {})
  outlet.flushHead()
  if (body.type === 'stream') await outlet.writeAll(body.chunks)
  else await outlet.writeEvents(body.events)
  return outlet.end()
}

function jsonChunks(body: Exclude<Payload, { type: 'events' | 'stream' }>): readonly Uint8Array[] {
  if (body.type === 'json') return body.chunks
  return body.type === 'empty' ? [] : [Buffer.from(JSON.stringify(body.value))]
}

/** One response being written. Everything that waits, waits for the client at most `stallTimeoutMs`. */
class Outlet {
  readonly #response: Response
  readonly #options: WriterOptions
  /** The compatibility response of HTTP/2 does not tell of back-pressure, its stream does. */
  readonly #sink: Http1Response | ServerHttp2Stream
  #open = true

  constructor(response: Response, options: WriterOptions) {
    this.#response = response
    this.#options = options
    this.#sink = 'stream' in response ? response.stream : response
  }

  head(answer: ServerResponse, extra: Readonly<Record<string, string>>): void {
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache, private', ...extra, ...answer.headers }
    if (this.#gone()) return
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value as string | string[])
    this.#response.statusCode = answer.status
  }

  flushHead(): void {
    if (this.#gone()) return
    if ('stream' in this.#response) this.#response.writeHead(this.#response.statusCode)
    else this.#response.flushHeaders()
  }

  async writeAll(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) {
      await this.#writeBlock(chunk)
      if (!this.#open) return
    }
  }

  /** Events that come in one turn of the loop go out together; the next is asked for only when the client has taken the last. */
  async writeEvents(events: AsyncIterable<{ readonly line: Uint8Array }>): Promise<void> {
    let waiting: Uint8Array[] = []
    let size = 0
    const take = (): Uint8Array => {
      const block = waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting, size)
      waiting = []
      size = 0
      return block
    }
    const flush = (): void => {
      if (waiting.length > 0) this.#write(take())
    }
    try {
      for await (const event of events) {
        if (waiting.push(event.line) === 1) setImmediate(flush)
        size += event.line.byteLength
        if (size >= EVENT_BLOCK_BYTES) await this.#writeBlock(take())
        else if (this.#sink.writableNeedDrain) await this.#drained()
        if (!this.#open) return
      }
    } finally {
      flush()
    }
  }

  /** Gives way to others after each block, and to a slow client as long as it takes. */
  async #writeBlock(block: Uint8Array): Promise<void> {
    if (this.#write(block)) await new Promise((resolve) => setImmediate(resolve))
    else await this.#drained()
  }

  end(last?: Uint8Array): Sent {
    if (this.#gone()) return { complete: false }
    if (last === undefined || last.byteLength === 0) this.#response.end()
    else this.#response.end(last)
    return { complete: true }
  }

  #write(chunk: Uint8Array): boolean {
    if (this.#gone()) return false
    return 'stream' in this.#response ? this.#response.write(chunk) : this.#response.write(chunk)
  }

  #gone(): boolean {
    if (this.#sink.destroyed || this.#options.signal.aborted) this.#open = false
    return !this.#open
  }

  #drained(): Promise<void> {
    if (this.#gone() || !this.#sink.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        stall.cancel()
        this.#sink.off('drain', done)
        this.#options.signal.removeEventListener('abort', done)
        resolve()
      }
      const stall = this.#options.clock.after(this.#options.stallTimeoutMs, () => {
        this.#open = false
        cutOff(this.#response)
        done()
      })
      this.#sink.on('drain', done)
      this.#options.signal.addEventListener('abort', done, { once: true })
    })
  }
}

/** HTTP/1: the connection; HTTP/2: the one stream, the others on its connection may be well. */
function cutOff(response: Response): void {
  if ('stream' in response) response.stream.close(http2.NGHTTP2_CANCEL)
  else response.destroy()
}

function* blocks(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let size = 0
  for (const chunk of chunks) {
    waiting.push(chunk)
    size += chunk.byteLength
    if (size < BLOCK_BYTES) continue
    yield waiting.length === 1 ? chunk : Buffer.concat(waiting, size)
    waiting = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(waiting, size)
}

function compressed(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: zlib.Z_BEST_SPEED })
  void feed(gzip, chunks)
  return gzip
}

async function feed(gzip: ReturnType<typeof createGzip>, chunks: readonly Uint8Array[]): Promise<void> {
  for (const block of blocks(chunks)) {
    if (gzip.destroyed) return
    if (gzip.write(block)) continue
    await new Promise<void>((resolve) => gzip.once('drain', resolve).once('close', resolve))
  }
  gzip.end()
}
