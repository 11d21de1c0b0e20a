import { connect, type OutgoingHttpHeaders } from 'node:http2'
import type { Random } from '../base/backoff.ts'
import { sleep, type Clock } from '../base/clock.ts'
import { StatusError, type StatusBody } from '../base/errors.ts'
import { Http2Connections } from './http2-connections.ts'
import { awaitResponse, type Http2Response } from './http2-response.ts'
import { TransportError } from './transport-error.ts'
import type { ApiRequest, Transport } from './transport.ts'

/** How to reach a server and who we are. See `parseKubeconfig` for where these come from. */
export interface ServerAccess {
  /** `https://host:port`, with a path prefix where there is one. `http://` is HTTP/2 without TLS: for loopback only. */
  readonly server: string
  /** PEM. Default: the authorities of the system. */
  readonly ca?: string | Buffer
  /** PEM of the client certificate and its key. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** Bearer token; a function is asked at each request, for tokens that are renewed. */
  readonly token?: string | (() => string)
  /** Basic authentication. */
  readonly username?: string
  readonly password?: string
  /** Name to expect in the server's certificate. Default: the host. */
  readonly tlsServerName?: string
  /** Believes any certificate. */
  readonly insecureSkipTlsVerify?: boolean
}

export interface HttpsTransportOptions extends ServerAccess {
  readonly clock: Clock
  /** Such as `Math.random`. */
  readonly random: Random
  /** Default `biplane`. */
  readonly userAgent?: string
}

/** Bytes a stream may be sent before they are read. */
const STREAM_WINDOW = 8 * 1024 * 1024
/** Times a request is sent again because the server said `Retry-After`. Source: client-go rest.Request maxRetries. */
const MAX_RETRIES = 10
const MAX_RETRY_AFTER_SECONDS = 30
const MAX_ERROR_BYTES = 1024 * 1024

/**
 * Requests over HTTP/2 and TLS, all on one connection, which is made by the first request and again after it broke.
 * Answers of 429 and 503 with `Retry-After` are waited for (at most ten times); a GET that lost its connection, and any request
 * that the server did not begin with, is sent once more. @throws {TransportError} in place of "an ordinary Error"
 */
export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  return new HttpsTransport(options)
}

class HttpsTransport implements Transport {
  readonly #options: HttpsTransportOptions
  readonly #connections: Http2Connections
  readonly #prefix: string

  constructor(options: HttpsTransportOptions) {
    this.#options = options
    const url = new URL(options.server)
    this.#prefix = url.pathname.replace(/\/+$/, '')
    const { clock, random, server } = options
    this.#connections = new Http2Connections({ clock, random, server, dial: () => connect(url.origin, tlsOptions(options)) })
  }

  async send(request: ApiRequest): Promise<Http2Response> {
    const body = encodeBody(request.body)
    let resent = false
    for (let retries = 0; ;) {
      request.signal?.throwIfAborted()
      try {
        const response = await this.#exchange(request, body)
        if (response.status < 400) return response
        const error = await readStatus(response)
        const wait = retryAfterSeconds(response)
        if (wait === undefined || retries++ >= MAX_RETRIES) throw error
        await sleep(this.#options.clock, wait * 1000, request.signal)
      } catch (error) {
        if (resent || !mayResend(error, request.method)) throw error
        resent = true
      }
    }
  }

  close(): Promise<void> {
    return this.#connections.close()
  }

  async #exchange(request: ApiRequest, body: Buffer | undefined): Promise<Http2Response> {
    const stream = await abortable(this.#connections.request(this.#headers(request, body), body === undefined), request.signal)
    if (body !== undefined) stream.end(body)
    return awaitResponse(stream, request.signal)
  }

  #headers(request: ApiRequest, body: Buffer | undefined): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = {
      ':method': request.method,
      ':path': this.#prefix + request.path + encodeQuery(request.query),
      accept: 'application/json',
      'user-agent': this.#options.userAgent ?? 'biplane',
    }
    const { token, username, password } = this.#options
    const bearer = typeof token === 'function' ? token() : token
    if (bearer) headers['authorization'] = `Bearer ${bearer}`
    else if (username) headers['authorization'] = `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`
    if (body) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = body.length
    }
    return Object.assign(headers, request.headers)
  }
}

/** `?a=b&c=d`, or nothing. */
export function encodeQuery(query: ApiRequest['query'] = {}): string {
  let text = ''
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of typeof value === 'string' ? [value] : value) {
      text += `${text === '' ? '?' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(one)}`
    }
  }
  return text
}

function tlsOptions(options: ServerAccess): object {
  const { ca, cert, key, tlsServerName, insecureSkipTlsVerify } = options
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    rejectUnauthorized: !insecureSkipTlsVerify,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    // megabytes; the default of 10 refuses streams once a thousand watches are open
    maxSessionMemory: 1024,
  }
}

function encodeBody(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return Buffer.from(JSON.stringify(body))
}

async function readStatus(response: Http2Response): Promise<StatusError> {
  const text = await response.text(MAX_ERROR_BYTES)
  let body: Partial<StatusBody>
  try {
    body = JSON.parse(text) as Partial<StatusBody>
  } catch {
    // a proxy, or a path that answers in plain text
    body = { message: text.trim().slice(0, 2048) || `the server answered ${response.status}` }
  }
  return StatusError.fromBody(body, response.status)
}

function retryAfterSeconds(response: Http2Response): number | undefined {
  const header = response.headers['retry-after']
  if (header === undefined || (response.status !== 429 && response.status < 500)) return undefined
  const seconds = Number(header)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) : undefined
}

function mayResend(error: unknown, method: ApiRequest['method']): boolean {
  if (!(error instanceof TransportError)) return false
  return error.code === 'Refused' || (error.code === 'ConnectionLost' && method === 'GET')
}

/** Stops waiting when the signal aborts; a stream that comes too late is dropped. */
function abortable<T extends { destroy(): unknown }>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(
      (value) => {
        signal.removeEventListener('abort', onAbort)
        if (signal.aborted) value.destroy()
        resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort)
        reject(error as Error)
      },
    )
  })
}
