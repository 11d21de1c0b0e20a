import type { IncomingMessage, ServerResponse as Http1Response } from 'node:http'
import { constants as http2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../../base/clock.ts'
import { isStatus, StatusError } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { ANONYMOUS, unauthorized, type Authenticator } from '../authn/authenticator.ts'
import { clientCertificate } from '../authn/client-certificate.ts'
import { impersonate } from '../authn/impersonation.ts'
import { requestInfo } from '../authz/request-info.ts'
import type { Handler, RequestInfo, ServerRequest, ServerResponse, UserInfo } from '../contract.ts'
import { checkRequest, type CheckedHead } from './check-request.ts'
import type { InFlight } from './in-flight.ts'
import { normalizePath } from './normalize-path.ts'
import type { Query } from './query.ts'
import { readBody } from './read-body.ts'
import { writeResponse } from './response-writer.ts'

export interface ExchangeOptions {
  readonly handler: Handler
  readonly authenticator: Authenticator
  /** Paths that anyone may ask for; these also never wait behind other requests. */
  readonly isPublic: (path: string) => boolean
  readonly inFlight: InFlight
  readonly clock: Clock
  readonly log: Logger
  readonly auditId: () => string
  readonly maxBodyBytes: number
  readonly bodyTimeoutMs: number
  readonly stallTimeoutMs: number
}

/** A request whose sender is known and which has not been read beyond its head. */
export interface AuthenticatedHead {
  readonly path: string
  readonly query: Query
  readonly info: RequestInfo
  readonly user: UserInfo
}

export type AnyRequest = IncomingMessage | Http2ServerRequest
export type AnyResponse = Http1Response | Http2ServerResponse

/** One request and its answer on the wire. */
export class Exchange {
  readonly #request: AnyRequest
  readonly #response: AnyResponse
  readonly #options: ExchangeOptions
  readonly #abort = new AbortController()
  /** Watches and followed logs: ended at once when the server stops. */
  longRunning = false
  #stopped = false
  #answered = false
  /** The head has been found good: what follows on the same connection can be trusted to be the next request. */
  #checked = false

  constructor(request: AnyRequest, response: AnyResponse, options: ExchangeOptions) {
    this.#request = request
    this.#response = response
    this.#options = options
    // without these a client that resets its connection would end the process
    request.on('error', () => this.abort())
    response.on('error', () => this.abort())
    response.on('close', () => this.#answered || this.abort())
  }

  abort(): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(GONE)
  }

  /** Ends a watch as if its time were over: the client sees a whole answer and asks again. */
  stop(): void {
    this.#stopped = true
    this.abort()
  }

  /** Answers, whatever happens; never throws. Resolves when all has been handed to the socket or the client is gone. */
  async run(): Promise<void> {
    const auditId = this.#options.auditId()
    try {
      const checked = checkHead(this.#request)
      this.#checked = true
      const head = await authenticateHead(this.#request, checked, this.#options)
      const release = this.#enter(head)
      try {
        await this.#serve(head, auditId)
      } finally {
        release()
      }
    } catch (error) {
      await this.#fail(error, auditId)
    }
  }

  async #serve(head: AuthenticatedHead, auditId: string): Promise<void> {
    const { maxBodyBytes, bodyTimeoutMs, clock, handler } = this.#options
    const body = await readBody(this.#request, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs, clock })
    const request: ServerRequest = {
      ...head,
      method: this.#request.method as ServerRequest['method'],
      headers: plainHeaders(this.#request),
      auditId,
      signal: this.#abort.signal,
      ...(body === undefined ? {} : { body }),
    }
    await this.#send(await handler(request), auditId)
  }

  #enter(head: AuthenticatedHead): () => void {
    this.longRunning = isLongRunning(head.info)
    if (this.longRunning || this.#options.isPublic(head.path)) return () => {}
    return this.#options.inFlight.enter(!(head.info.verb === 'get' || head.info.verb === 'list'))
  }

  async #send(answer: ServerResponse, auditId: string): Promise<void> {
    if (this.#abort.signal.aborted) return
    const sent = await writeResponse(
      this.#response,
      { ...answer, headers: { 'audit-id': auditId, ...answer.headers } },
      {
        clock: this.#options.clock,
        stallTimeoutMs: this.#options.stallTimeoutMs,
        gzip: acceptsGzip(this.#request) && !isLoopback(this.#request),
        signal: this.#abort.signal,
      },
    )
    this.#answered = sent.complete
    if (!sent.complete && this.#stopped) this.#response.end()
  }

  async #fail(thrown: unknown, auditId: string): Promise<void> {
    if (this.#stopped && this.#response.headersSent) return void this.#response.end()
    if (this.#abort.signal.aborted || this.#response.headersSent) {
      if (!this.#abort.signal.aborted) this.#options.log.warn('response broken off', { auditId, error: thrown })
      return cutOff(this.#response)
    }
    if (!isStatus(thrown)) this.#options.log.error('request failed', { auditId, error: thrown })
    const error = isStatus(thrown)
      ? thrown
      : new StatusError('InternalError', `an error on the server has prevented the request from succeeding`)
    const text = Buffer.from(JSON.stringify(error.toBody()))
    const headers = { ...refusalHeaders(error), 'audit-id': auditId, 'content-length': String(text.byteLength) }
    for (const [name, value] of Object.entries(headers)) this.#response.setHeader(name, value)
    this.#response.statusCode = error.code
    await this.#endUnread(text)
  }

  /** Sends the last bytes. What the client is still sending is thrown away for a moment: a reset now could take the answer with it. */
  async #endUnread(text: Uint8Array): Promise<void> {
    if ('stream' in this.#response) {
      const stream = this.#response.stream
      this.#response.end(text)
      // a reset at once could overtake the answer: let the client finish, but not for ever
      if (!this.#request.complete && !stream.endAfterHeaders) {
        await this.#discard()
        if (!stream.closed) stream.close(http2.NGHTTP2_NO_ERROR)
      }
      return
    }
    if (this.#request.complete && this.#checked) return void this.#response.end(text)
    this.#response.setHeader('connection', 'close')
    if (this.#request.complete) return void this.#response.end(text)
    this.#response.write(text)
    await this.#discard()
    this.#response.end()
  }

  #discard(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(LINGER_MS, resolve)
      const done = (): void => {
        timer.cancel()
        resolve()
      }
      this.#request.once('end', done).once('close', done).resume()
    })
  }
}

const LINGER_MS = 1000
/** One for all: an error with its own stack for each closed watch would cost more than the watch. */
const GONE = new Error('the client has gone or the server is stopping')

/** Reads the head of a request. @throws {StatusError} `BadRequest`, `MethodNotAllowed` */
export function checkHead(request: AnyRequest): CheckedHead {
  return checkRequest({
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersionMajor: request.httpVersionMajor,
    httpVersionMinor: request.httpVersionMinor,
    rawHeaders: request.rawHeaders,
  })
}

/** Finds out who sent a request, and what it is about. @throws {StatusError} `BadRequest`, `Unauthorized`, `Forbidden` (impersonation) */
export async function authenticateHead(
  request: AnyRequest,
  head: CheckedHead,
  options: Pick<ExchangeOptions, 'authenticator' | 'isPublic'>,
): Promise<AuthenticatedHead> {
  const path = normalizePath(head.path)
  const info = requestInfo({ method: request.method ?? '', path, query: head.query })
  const certificate = clientCertificate(tlsSocket(request))
  const bearerToken = readBearerToken(request.headers.authorization)
  const known = await options.authenticator.authenticate({
    ...(certificate ? { certificate } : {}),
    ...(bearerToken === undefined ? {} : { bearerToken }),
  })
  if (!known && !options.isPublic(path)) throw unauthorized()
  return { path, query: head.query, info, user: known ? impersonate(known, request.rawHeaders) : ANONYMOUS }
}

/** Headers of a refusal, whatever carries it. */
export function refusalHeaders(error: StatusError): Record<string, string> {
  const retry = error.details?.retryAfterSeconds
  return { 'content-type': 'application/json', 'cache-control': 'no-cache, private', ...(retry ? { 'retry-after': String(retry) } : {}) }
}

/** Watches and everything that streams. Source: k8s.io/apiserver BasicLongRunningRequestCheck. */
function isLongRunning(info: RequestInfo): boolean {
  return info.verb === 'watch' || LONG_SUBRESOURCES.has(info.subresource)
}

const LONG_SUBRESOURCES = new Set(['attach', 'exec', 'log', 'portforward', 'proxy'])

function tlsSocket(request: AnyRequest): TLSSocket {
  // the socket of an HTTP/2 request is a proxy that hides what is wanted here
  return ('stream' in request ? request.stream.session?.socket : request.socket) as TLSSocket
}

function readBearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(header ?? '')?.[1]
}

function plainHeaders(request: AnyRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(':') || name === '__proto__') continue
    headers[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return headers
}

function acceptsGzip(request: AnyRequest): boolean {
  return /(?:^|[\s,])gzip(?:$|[\s,;])(?!\s*q=0(?:\.0*)?(?:$|[\s,]))/.test(request.headers['accept-encoding']?.toString() ?? '')
}

/** On the same machine compressing costs more time than sending. */
function isLoopback(request: AnyRequest): boolean {
  const address = tlsSocket(request)?.remoteAddress ?? ''
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')
}

function cutOff(response: AnyResponse): void {
  if ('stream' in response) response.stream.close(http2.NGHTTP2_INTERNAL_ERROR)
  else response.destroy()
}
