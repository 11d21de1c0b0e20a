import type { Headers, RequestHead, ResponseHead, UpstreamFailure } from '../contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamStream } from '../engine/contract.ts'
import { HeaderList, type Deadline, type TimerWheel } from '../engine/index.ts'

/** A request that the proxy makes for itself. */
export interface InternalRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly authority: string
  /** Default `http`. */
  readonly scheme?: string
  /** Names are lower-case. */
  readonly headers?: readonly { readonly name: string; readonly value: string }[]
  /** Absent: the request ends with its head. */
  readonly body?: Uint8Array
}

export interface InternalAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  readonly trailers?: Headers
}

/** Why there is no answer. */
export class InternalCallError extends Error {
  override readonly name = 'InternalCallError'
  readonly kind: UpstreamFailure['kind'] | 'timeout' | 'tooLarge' | 'noCluster' | 'noHost'
  /** The upstream did nothing with the request: it may be sent again. */
  readonly unprocessed: boolean
  /** The answer had begun with this one. */
  readonly status: number | undefined

  constructor(kind: InternalCallError['kind'], message: string, unprocessed = false, status?: number) {
    super(message)
    this.kind = kind
    this.unprocessed = unprocessed
    this.status = status
  }
}

/** The engine's head of a request of our own. */
export function headOf(request: InternalRequest): RequestHead {
  const { method, path, authority, scheme = 'http', headers = [], body } = request
  const fields = HeaderList.of(headers)
  if (body) fields.set('content-length', String(body.length))
  return {
    method,
    path,
    authority,
    scheme,
    headers: fields,
    isGrpc: fields.get('content-type')?.startsWith('application/grpc') ?? false,
    endsWithHead: !body,
  }
}

export interface CallLimits {
  readonly timeoutMs: number
  /** Longest body that is taken. */
  readonly maxBytes: number
}

/** One request to one endpoint, from its head to the last byte of the answer. `done` is called once, never from within the constructor. */
export class InternalCall implements UpstreamEvents {
  readonly #request: InternalRequest
  readonly #limits: CallLimits
  readonly #done: (result: InternalAnswer | InternalCallError) => void
  readonly #deadline: Deadline
  #stream: UpstreamStream | undefined
  #isReady = false
  #isOver = false
  /** How much of the request's body has gone. */
  #sent = 0
  #head: ResponseHead | undefined
  #chunks: Buffer[] = []
  #size = 0

  constructor(
    endpoint: EngineEndpoint,
    request: InternalRequest,
    limits: CallLimits,
    wheel: TimerWheel,
    done: (result: InternalAnswer | InternalCallError) => void,
  ) {
    this.#request = request
    this.#limits = limits
    this.#done = done
    this.#deadline = wheel.deadline(() => this.#fail('timeout', `no answer within ${limits.timeoutMs} ms`))
    this.#deadline.set(limits.timeoutMs)
    const hasBody = request.body !== undefined
    this.#stream = endpoint.open({ head: headOf(request), hasBody, downstreamProtocol: 'http2' }, this)
    // a pooled connection says that it is ready before it is known to us
    if (this.#isReady) this.#send()
  }

  /** Nobody waits for the answer any more; `done` is not called. */
  cancel(): void {
    if (this.#isOver) return
    this.#end()
    this.#stream?.cancel()
  }

  onReady(): void {
    this.#isReady = true
    if (this.#stream) this.#send()
  }

  onInformational(): void {}

  onHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return
    // what is read from it later may lie in memory that is used again
    this.#head = { status: head.status, headers: HeaderList.copy(head.headers), endsWithHead: end }
    if (end) this.onEnd()
  }

  onData(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return
    this.#size += end - start
    const { maxBytes } = this.#limits
    if (this.#size > maxBytes) return this.#fail('tooLarge', `the answer is longer than ${maxBytes} bytes`)
    this.#chunks.push(Buffer.copyBytesFrom(buffer, start, end - start))
  }

  onEnd(trailers?: Headers): void {
    if (this.#isOver || !this.#head) return
    const { status, headers } = this.#head
    const { body } = this.#request
    this.#end()
    // the answer came first: nobody reads what is left of the request
    if (body && this.#sent <= body.length) this.#stream?.cancel()
    this.#done({
      status,
      headers,
      body: Buffer.concat(this.#chunks),
      ...(trailers ? { trailers: HeaderList.copy(trailers) } : {}),
    })
  }

  onDrain(): void {
    if (!this.#isOver) this.#send()
  }

  onFailure({ kind, message, unprocessed }: UpstreamFailure): void {
    if (this.#isOver) return
    this.#end()
    this.#done(new InternalCallError(kind, message, unprocessed))
  }

  #send(): void {
    const { body } = this.#request
    if (!body || this.#isOver || this.#sent > body.length) return
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
    while (this.#sent < bytes.length) {
      const from = this.#sent
      this.#sent = Math.min(from + PIECE, bytes.length)
      if (this.#stream?.write(bytes, from, this.#sent) === false && this.#sent < bytes.length) return
    }
    // once only
    this.#sent = bytes.length + 1
    this.#stream?.end()
  }

  #fail(kind: InternalCallError['kind'], message: string): void {
    if (this.#isOver) return
    this.#end()
    this.#stream?.cancel()
    this.#done(new InternalCallError(kind, message, false, this.#head?.status))
  }

  #end(): void {
    this.#isOver = true
    this.#deadline.cancel()
  }
}

/** Bytes written at a time. */
const PIECE = 16_384
