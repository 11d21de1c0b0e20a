import type {
  Attempt,
  BodyTransform,
  Downstream,
  Exchange,
  ExchangeSummary,
  Headers,
  LocalReply,
  RequestHead,
  ResponseFlag,
  ResponseHead,
} from '../contract.ts'
import type { EngineEndpoint } from '../engine/contract.ts'
import { HeaderList } from '../engine/index.ts'
import { TranscodedEndpoint, type TranscodedParts } from './transcoded-endpoint.ts'

/** An exchange as the layers further in see it: a call of gRPC with a body of one message. What they do is done to the real one. */
export class TranscodedExchange implements Exchange {
  readonly request: RequestHead
  readonly connection: Downstream
  readonly startedMs: number
  /** The message is kept anyway. */
  replayLimitBytes = 0
  readonly #real: Exchange
  readonly #parts: Omit<TranscodedParts, 'head'>
  #isAnswered = false

  constructor(real: Exchange, request: RequestHead, parts: Omit<TranscodedParts, 'head'>) {
    this.#real = real
    this.request = request
    this.#parts = parts
    this.startedMs = real.startedMs
    // where clusters speak what the client does, that is what gRPC needs
    this.connection = { ...real.connection, protocol: 'http2' }
    real.onEnd(() => (this.#isAnswered = true))
  }

  get context(): Map<symbol, unknown> {
    return this.#real.context
  }
  get layerState(): unknown {
    return this.#real.layerState
  }
  set layerState(state: unknown) {
    this.#real.layerState = state
  }
  get flags(): Set<ResponseFlag> {
    return this.#real.flags
  }
  get details(): string {
    return this.#real.details
  }
  set details(details: string) {
    this.#real.details = details
  }
  get isReplayable(): boolean {
    return !this.#isAnswered
  }

  respond(reply: LocalReply): void {
    this.#isAnswered = true
    this.#real.respond(reply)
  }
  abort(flag: ResponseFlag, details: string): void {
    this.#isAnswered = true
    this.#real.abort(flag, details)
  }

  forward(attempt: Attempt): void {
    const head = { ...this.request, headers: HeaderList.copy(this.request.headers) }
    attempt.prepare?.(head)
    const endpoint = new TranscodedEndpoint(attempt.endpoint as EngineEndpoint, { ...this.#parts, head })
    this.#real.forward({
      endpoint,
      perTryTimeoutMs: attempt.perTryTimeoutMs,
      onHead: (answer) => {
        const verdict = attempt.onHead(answer)
        if (verdict === 'send') this.#isAnswered = true
        return verdict
      },
      onFailure: (failure) => attempt.onFailure(failure),
      onDone: (outcome) =>
        attempt.onDone({ ...outcome, ...(endpoint.grpcStatus === undefined ? {} : { grpcStatus: endpoint.grpcStatus }) }),
    })
  }

  onResponse(hook: (head: ResponseHead) => void): void {
    this.#real.onResponse(hook)
  }
  onEnd(hook: (summary: ExchangeSummary) => void): void {
    this.#real.onEnd(hook)
  }
  observeRequestBody(observer: (chunk: Uint8Array, ended: boolean) => void): void {
    observer(this.#parts.frame, false)
    observer(Buffer.alloc(0), true)
  }
  transformRequestBody(): void {
    throw new Error('the body of a request that was transcoded is not changed any more: put that filter before')
  }
  transformResponseBody(transform: BodyTransform): void {
    this.#real.transformResponseBody(transform)
  }
  onTrailers(hook: (trailers: Headers) => void): void {
    this.#real.onTrailers(hook)
  }
  bufferRequestBody(limitBytes: number, done: (body: Uint8Array | undefined, start?: Uint8Array) => void): void {
    const { frame } = this.#parts
    if (frame.length <= limitBytes) done(frame)
    else done(undefined, frame.subarray(0, limitBytes))
  }
  limitResponseRate(bytesPerSecond: number): void {
    this.#real.limitResponseRate(bytesPerSecond)
  }
  setTimeout(kind: 'request' | 'response' | 'idle' | 'maxDuration', ms: number): void {
    this.#real.setTimeout(kind, ms)
  }
}
