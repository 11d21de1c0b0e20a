import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2'
import type { KubeObject, WatchEvent } from '../api/meta/object.ts'
import { messageOf } from '../base/errors.ts'
import { LineSplitter } from './line-splitter.ts'
import { TransportError } from './transport-error.ts'
import type { ApiResponse } from './transport.ts'

export type Http2Headers = IncomingHttpHeaders & IncomingHttpStatusHeader

const NGHTTP2_NO_ERROR = 0
const NGHTTP2_REFUSED_STREAM = 7

/** The readers of one answer. */
export class Http2Response implements ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly #stream: ClientHttp2Stream
  readonly #signal: AbortSignal | undefined

  constructor(stream: ClientHttp2Stream, headers: Http2Headers, signal?: AbortSignal) {
    this.#stream = stream
    this.#signal = signal
    this.status = headers[':status'] ?? 0
    this.headers = plainHeaders(headers)
  }

  async object(): Promise<unknown> {
    const text = await this.text()
    if (text === '') return undefined
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new TransportError('BadResponse', `the answer is not JSON: ${messageOf(error)}`, { cause: error })
    }
  }

  /** The whole body, or its beginning up to `maxBytes`. */
  async text(maxBytes: number = Infinity): Promise<string> {
    const chunks: Buffer[] = []
    let size = 0
    // events, not `for await`: a list of 20 MB comes in more than a thousand chunks
    await new Promise<void>((resolve, reject) => {
      if (this.#stream.destroyed)
        return reject(this.#endFailure() ?? this.#failure(this.#stream.errored ?? 'it was closed before it was read'))
      this.#stream.on('data', (chunk: Buffer) => {
        if (size < maxBytes) chunks.push(chunk)
        size += chunk.length
      })
      this.#stream.once('error', (error) => reject(this.#failure(error)))
      this.#stream.once('close', () => {
        const failure = this.#endFailure()
        if (failure) reject(failure)
        else resolve()
      })
      this.#stream.resume()
    })
    return Buffer.concat(chunks).toString('utf8')
  }

  async *events(): AsyncGenerator<WatchEvent<KubeObject>> {
    const splitter = new LineSplitter()
    for await (const chunk of this.stream()) {
      for (const line of splitter.push(chunk)) if (line.length > 0) yield parseEvent(line)
    }
    if (splitter.partialBytes > 0) throw new TransportError('ConnectionLost', 'the watch ended in the middle of an event')
  }

  async *stream(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#stream) yield chunk as Buffer
    } catch (error) {
      throw this.#failure(error)
    } finally {
      this.#stream.destroy()
    }
    const failure = this.#endFailure()
    if (failure) throw failure
  }

  /** Node ends a stream quietly when it was reset without error or its session went away. */
  #endFailure(): Error | undefined {
    const code = this.#stream.rstCode
    if (this.#signal?.aborted) return this.#signal.reason as Error
    if (code === NGHTTP2_NO_ERROR && !this.#stream.aborted) return undefined
    return new TransportError('ConnectionLost', `the server broke off its answer (HTTP/2 error ${code})`)
  }

  #failure(cause: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason
    if (cause instanceof TransportError) return cause
    return new TransportError('ConnectionLost', `the connection broke: ${messageOf(cause)}`, { cause })
  }
}

/** Waits for the head of the answer. The signal ends the exchange whenever it aborts, also later. */
export function awaitResponse(stream: ClientHttp2Stream, signal?: AbortSignal): Promise<Http2Response> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void stream.destroy(signal?.reason as Error)
    const fail = (cause?: unknown): void => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const code = stream.rstCode === NGHTTP2_REFUSED_STREAM || stream.pending ? 'Refused' : 'ConnectionLost'
      const why = cause === undefined ? 'the server ended the exchange without an answer' : messageOf(cause)
      reject(new TransportError(code, `request failed: ${why}`, { cause }))
    }
    stream.on('error', fail)
    stream.once('response', (headers: Http2Headers) => {
      // nothing may be thrown away before the caller reads
      stream.pause()
      resolve(new Http2Response(stream, headers, signal))
    })
    stream.once('close', () => {
      signal?.removeEventListener('abort', onAbort)
      fail()
    })
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function parseEvent(line: Buffer): WatchEvent<KubeObject> {
  try {
    return JSON.parse(line.toString('utf8')) as WatchEvent<KubeObject>
  } catch (error) {
    throw new TransportError('BadResponse', `a watch event is not JSON: ${messageOf(error)}`, { cause: error })
  }
}

function plainHeaders(headers: Http2Headers): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return plain
}
