import type {
  Attempt,
  Downstream,
  Exchange,
  ExchangeSummary,
  Headers,
  LocalReply,
  RequestHead,
  ResponseFlag,
  ResponseHead,
  UpstreamFailure,
} from '../contract.ts'

/** Header fields in memory. */
export class FixtureHeaders implements Headers {
  fields: [string, string][]

  constructor(fields: Readonly<Record<string, string>> = {}) {
    this.fields = Object.entries(fields)
  }

  get(name: string): string | undefined {
    for (const field of this.fields) if (field[0] === name) return field[1]
    return undefined
  }
  getAll(name: string): readonly string[] {
    return this.fields.filter((field) => field[0] === name).map(([, value]) => value)
  }
  has(name: string): boolean {
    return this.get(name) !== undefined
  }
  set(name: string, value: string): void {
    this.remove(name)
    this.fields.push([name, value])
  }
  append(name: string, value: string): void {
    this.fields.push([name, value])
  }
  remove(name: string): void {
    for (let i = this.fields.length - 1; i >= 0; i--) if (this.fields[i]?.[0] === name) this.fields.splice(i, 1)
  }
  forEach(visit: (name: string, value: string) => void): void {
    for (const [name, value] of this.fields) visit(name, value)
  }
  get sizeBytes(): number {
    return this.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  }
  toObject(): Record<string, string> {
    return Object.fromEntries(this.fields)
  }
}

export interface FixtureRequest {
  readonly method?: string
  readonly path?: string
  readonly authority?: string
  readonly scheme?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly isGrpc?: boolean
  readonly upgrade?: string
  readonly endsWithHead?: boolean
  readonly connection?: Partial<Downstream>
}

/** Stands for the engine in tests of layers: what the layers do is written down, what upstreams do is said by the test. */
export class FixtureExchange implements Exchange {
  readonly connection: Downstream
  readonly request: RequestHead & { readonly headers: FixtureHeaders }
  readonly startedMs = 0
  readonly context: Map<symbol, unknown> = new Map()
  readonly flags: Set<ResponseFlag> = new Set()
  details = ''
  layerState?: unknown
  isReplayable = true
  replayLimitBytes = 0
  readonly attempts: Attempt[] = []
  readonly timeouts: Record<string, number> = {}
  reply: LocalReply | undefined
  aborted: string | undefined
  response: { status: number; readonly headers: FixtureHeaders; readonly endsWithHead: boolean } | undefined
  responseRate = 0
  readonly #onResponse: ((head: ResponseHead) => void)[] = []
  readonly #onEnd: ((summary: ExchangeSummary) => void)[] = []
  readonly observers: ((chunk: Uint8Array, ended: boolean) => void)[] = []

  constructor(request: FixtureRequest = {}) {
    const address = { address: '10.0.0.7', port: 40_000 }
    this.connection = {
      remote: address,
      local: { address: '10.0.0.1', port: 80 },
      protocol: 'http1',
      drain() {},
      destroy() {},
      ...request.connection,
    }
    this.request = {
      method: request.method ?? 'GET',
      path: request.path ?? '/',
      authority: request.authority ?? 'app',
      scheme: request.scheme ?? 'http',
      headers: new FixtureHeaders(request.headers),
      isGrpc: request.isGrpc ?? false,
      endsWithHead: request.endsWithHead ?? true,
      ...(request.upgrade === undefined ? {} : { upgrade: request.upgrade }),
    }
  }

  respond(reply: LocalReply): void {
    if (this.reply || this.response) throw new Error('answered twice')
    this.reply = reply
    if (reply.flag) this.flags.add(reply.flag)
    this.details = reply.details
    const headers = new FixtureHeaders()
    for (const { name, value } of reply.headers ?? []) headers.append(name, value)
    this.#send({ status: reply.status, headers, endsWithHead: reply.body === undefined })
    this.end()
  }
  abort(flag: ResponseFlag, details: string): void {
    this.flags.add(flag)
    this.aborted = this.details = details
    this.end()
  }
  forward(attempt: Attempt): void {
    this.attempts.push(attempt)
  }
  onResponse(hook: (head: ResponseHead) => void): void {
    this.#onResponse.unshift(hook)
  }
  onEnd(hook: (summary: ExchangeSummary) => void): void {
    this.#onEnd.push(hook)
  }
  observeRequestBody(observer: (chunk: Uint8Array, ended: boolean) => void): void {
    this.observers.push(observer)
  }
  transformRequestBody(): void {}
  transformResponseBody(): void {}
  onTrailers(): void {}
  bufferRequestBody(_: number, done: (body: Uint8Array | undefined) => void): void {
    done(new Uint8Array(0))
  }
  limitResponseRate(bytesPerSecond: number): void {
    this.responseRate = bytesPerSecond
  }
  setTimeout(kind: string, ms: number): void {
    this.timeouts[kind] = ms
  }

  get attempt(): Attempt {
    return this.attempts.at(-1) as Attempt
  }

  /** The endpoint of the last try answers. @returns what the router made of it */
  answer(status: number, headers: Readonly<Record<string, string>> = {}, grpcStatus?: number): 'send' | 'discard' {
    const attempt = this.attempt
    const head = { status, headers: new FixtureHeaders(headers), endsWithHead: headers['grpc-status'] !== undefined }
    const verdict = attempt.onHead(head)
    if (verdict === 'send') this.#send(head)
    attempt.onDone({ ok: verdict === 'send', durationMs: 1, ...(grpcStatus === undefined ? {} : { grpcStatus }) })
    if (verdict === 'send') this.end(grpcStatus)
    return verdict
  }

  fail(kind: UpstreamFailure['kind'], unprocessed = false): void {
    const attempt = this.attempt
    attempt.onFailure({ kind, unprocessed, message: kind })
    attempt.onDone({ ok: false, durationMs: 1 })
  }

  end(grpcStatus?: number): void {
    const { flags, details } = this
    const status = this.response?.status
    const summary = { startedMs: 0, durationMs: 1, bytesReceived: 3, bytesSent: 4, flags, details }
    for (const hook of this.#onEnd)
      hook({ ...summary, ...(status === undefined ? {} : { status }), ...(grpcStatus === undefined ? {} : { grpcStatus }) })
  }

  #send(head: { status: number; readonly headers: FixtureHeaders; readonly endsWithHead: boolean }): void {
    this.response = head
    for (const hook of this.#onResponse) hook(head)
  }
}
