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
import type { DownstreamEvents, DownstreamStream } from './contract.ts'
import { localResponse } from './local-reply.ts'
import { TIMEOUTS, type TimeoutKind } from './timeouts.ts'
import { BodyPipe } from './body-pipe.ts'
import { Pacer } from './pacer.ts'
import { ExchangeTimes } from './exchange-times.ts'
import type { TimerWheel } from './timer-wheel.ts'
import { Try } from './try.ts'

/** Nothing of a response has gone, its head has, all of it has. */
type Stage = 'waiting' | 'responding' | 'done'

/** Most bytes of a request body that wait for an upstream. */
const MAX_HELD_BYTES = 64 * 1024

/** The core of an exchange: between the client's stream and those of upstreams. See contract.ts for what it promises to either. */
export class HttpExchange implements Exchange, DownstreamEvents {
  readonly connection: Downstream
  readonly request: RequestHead
  readonly startedMs: number
  details = ''
  layerState?: unknown
  replayLimitBytes = 0
  readonly stream: DownstreamStream
  readonly wheel: TimerWheel
  stage: Stage = 'waiting'
  bytesSent = 0
  bytesReceived = 0
  status: number | undefined
  grpcStatus: number | undefined
  /** The whole request has come. */
  isRequestWhole: boolean
  requestTrailers: Headers | undefined
  #context: Map<symbol, unknown> | undefined
  #flags: Set<ResponseFlag> | undefined
  #try: Try | undefined
  #requestPipe: BodyPipe | undefined
  #responsePipe: BodyPipe | undefined
  #responseHooks: ((head: ResponseHead) => void)[] | undefined
  #trailerHooks: ((trailers: Headers) => void)[] | undefined
  #endHooks: ((summary: ExchangeSummary) => void)[] | undefined
  #times: ExchangeTimes | undefined
  /** Body that no upstream has been given yet, or that may have to be sent once more. */
  #held: Buffer[] | undefined
  #heldBytes = 0
  #isLost = false
  #isPaused = false
  #wanted: { readonly limit: number; readonly done: (body: Uint8Array | undefined, start?: Uint8Array) => void } | undefined
  #pacer: Pacer | undefined

  constructor(stream: DownstreamStream, request: RequestHead, parts: { readonly connection: Downstream; readonly wheel: TimerWheel }) {
    this.stream = stream
    this.request = request
    this.connection = parts.connection
    this.wheel = parts.wheel
    this.startedMs = parts.wheel.nowMs()
    // what asks for a tunnel has more to say
    this.isRequestWhole = request.endsWithHead && request.upgrade === undefined
  }

  get context(): Map<symbol, unknown> {
    return (this.#context ??= new Map())
  }

  get flags(): Set<ResponseFlag> {
    return (this.#flags ??= new Set())
  }

  get isReplayable(): boolean {
    return this.stage === 'waiting' && !this.#isLost && (this.request.upgrade === undefined || this.#try?.isReady !== true)
  }

  // what layers ask for

  respond(reply: LocalReply): void {
    if (this.stage !== 'waiting') return
    if (reply.flag) this.flags.add(reply.flag)
    this.details = reply.details
    this.#dropTry()
    const { head, body } = localResponse(reply, this.request)
    this.sendHead(head, body.length === 0)
    if (this.isDone) return
    if (body.length > 0) {
      this.bytesSent += body.length
      this.stream.write(body, 0, body.length)
      this.stream.end()
    }
    this.finish()
  }

  abort(flag: ResponseFlag, details: string): void {
    if (this.stage === 'done') return
    this.flags.add(flag)
    this.details = details
    this.#dropTry()
    this.stream.reset('cancel')
    this.finish()
  }

  forward(attempt: Attempt): void {
    if (this.stage !== 'waiting') throw new Error('the response of this exchange has begun: it cannot be forwarded')
    this.#dropTry()
    const next = new Try(this, attempt)
    this.#try = next
    next.start()
    this.#releaseRequest()
  }

  onResponse(hook: (head: ResponseHead) => void): void {
    ;(this.#responseHooks ??= []).push(hook)
  }

  onEnd(): void
  onEnd(hook: (summary: ExchangeSummary) => void): void
  onEnd(hook?: (summary: ExchangeSummary) => void): void {
    // one name for two sides: layers pass a hook, the client's codec says that the request is whole
    if (hook) (this.#endHooks ??= []).push(hook)
    else this.#requestEnded()
  }

  observeRequestBody(observer: (chunk: Uint8Array, ended: boolean) => void): void {
    ;(this.#requestPipe ??= new BodyPipe()).observe(observer)
    if (this.request.endsWithHead) observer(Buffer.alloc(0), true)
  }

  transformRequestBody(transform: BodyTransform): void {
    ;(this.#requestPipe ??= new BodyPipe()).transform(transform)
    this.request.headers.remove('content-length')
  }

  transformResponseBody(transform: BodyTransform): void {
    ;(this.#responsePipe ??= new BodyPipe()).transform(transform)
  }

  onTrailers(trailers: Headers): void
  onTrailers(hook: (trailers: Headers) => void): void
  onTrailers(argument: Headers | ((trailers: Headers) => void)): void {
    if (typeof argument === 'function') (this.#trailerHooks ??= []).push(argument)
    else this.requestTrailers = argument
  }

  bufferRequestBody(limit: number, done: (body: Uint8Array | undefined, start?: Uint8Array) => void): void {
    this.#wanted = { limit, done }
    this.#checkWanted()
    if (this.#wanted) this.#resumeRequest()
  }

  limitResponseRate(bytesPerSecond: number): void {
    this.#pacer = new Pacer(this.wheel, bytesPerSecond, () => this.#try?.resume())
  }

  setTimeout(kind: TimeoutKind, ms: number): void {
    this.#times ??= new ExchangeTimes(this.wheel, (late) => this.#timedOut(late))
    this.#times.set(kind, ms, this.isRequestWhole)
  }

  // what the client's side says

  onData(buffer: Buffer, start: number, end: number): void {
    this.bytesReceived += end - start
    this.touch()
    if (this.stage === 'done') return
    const passed = this.#requestPipe?.pass(buffer, start, end)
    if (passed) this.#takeRequestBytes(passed, 0, passed.length)
    else this.#takeRequestBytes(buffer, start, end)
  }

  onDrain(): void {
    this.#try?.resume()
  }

  onReset(reason: 'gone' | 'protocol'): void {
    if (this.stage === 'done') return
    this.flags.add(reason === 'gone' ? 'DC' : 'DPE')
    if (this.details === '') this.details = reason === 'gone' ? 'downstream_remote_disconnect' : 'downstream_protocol_error'
    this.#dropTry()
    this.finish()
  }

  // what a try says

  /** Something moves on this exchange. */
  touch(): void {
    this.#times?.touch()
  }

  get isDone(): boolean {
    return this.stage === 'done'
  }

  sendHead(head: ResponseHead, end: boolean): void {
    if (this.#responsePipe) head.headers.remove('content-length')
    const hooks = this.#responseHooks
    if (hooks) for (let i = hooks.length - 1; i >= 0; i--) hooks[i]?.(head)
    this.stage = 'responding'
    this.status = head.status
    if (this.request.isGrpc) this.#noteGrpcStatus(head.headers)
    this.stream.sendHead(head, end)
    if (end && this.stage === 'responding') this.finish()
  }

  /** @returns false: the client's side is full, or may have no more just now */
  sendBody(buffer: Buffer, start: number, end: number): boolean {
    this.touch()
    const passed = this.#responsePipe?.pass(buffer, start, end)
    const bytes = passed ?? buffer
    const [from, to] = passed ? [0, passed.length] : [start, end]
    if (to === from) return true
    this.bytesSent += to - from
    const hasRoom = this.stream.write(bytes, from, to)
    return this.#pacer ? this.#pacer.spend(to - from) && hasRoom : hasRoom
  }

  endResponse(trailers: Headers | undefined): void {
    if (this.stage !== 'responding') return
    const last = this.#responsePipe?.finish()
    if (last && last.length > 0) {
      this.bytesSent += last.length
      this.stream.write(last, 0, last.length)
    }
    if (trailers) {
      for (const hook of this.#trailerHooks ?? []) hook(trailers)
      this.#noteGrpcStatus(trailers)
    }
    this.stream.end(trailers)
    this.finish()
  }

  /** The response has broken off after its head. */
  breakResponse(flag: ResponseFlag, details: string): void {
    if (this.stage !== 'responding') return
    this.flags.add(flag)
    this.details = details
    this.stream.reset('internal')
    this.finish()
  }

  /** An upstream has a connection for the request: its body, what was held of it and what comes, may go. */
  upstreamReady(current: Try): void {
    if (current !== this.#try) return
    if (this.#held) for (const chunk of this.#held) current.write(chunk, 0, chunk.length)
    if (this.replayLimitBytes === 0) this.#forgetHeld()
    if (this.isRequestWhole) current.end(this.requestTrailers)
    else this.#resumeRequest()
  }

  /** There is room upstream again. */
  resumeRequest(): void {
    this.#resumeRequest()
  }

  /** Nothing will be sent once more. */
  commit(): void {
    this.#forgetHeld()
    this.#isLost = true
  }

  // the rest

  #requestEnded(): void {
    if (this.isRequestWhole) return
    const last = this.#requestPipe?.finish()
    if (last && last.length > 0) this.#takeRequestBytes(last, 0, last.length)
    this.isRequestWhole = true
    this.#times?.requestWhole()
    if (this.#try?.isReady) this.#try.end(this.requestTrailers)
    this.#checkWanted()
  }

  #takeRequestBytes(buffer: Buffer, start: number, end: number): void {
    const current = this.#try
    if (current?.isReady) {
      this.#keepForReplay(buffer, start, end)
      if (!current.write(buffer, start, end)) this.#pauseRequest()
      return
    }
    ;(this.#held ??= []).push(Buffer.copyBytesFrom(buffer, start, end - start))
    this.#heldBytes += end - start
    this.#checkWanted()
    if (this.#heldBytes >= Math.max(MAX_HELD_BYTES, this.#wanted?.limit ?? 0)) this.#pauseRequest()
  }

  #keepForReplay(buffer: Buffer, start: number, end: number): void {
    if (this.#isLost) return
    if (this.replayLimitBytes === 0 || this.#heldBytes + (end - start) > this.replayLimitBytes) return this.commit()
    ;(this.#held ??= []).push(Buffer.copyBytesFrom(buffer, start, end - start))
    this.#heldBytes += end - start
  }

  #checkWanted(): void {
    const wanted = this.#wanted
    if (!wanted || (!this.isRequestWhole && this.#heldBytes <= wanted.limit)) return
    this.#wanted = undefined
    const held = Buffer.concat(this.#held ?? [])
    if (held.length <= wanted.limit) wanted.done(held)
    else wanted.done(undefined, held.subarray(0, wanted.limit))
  }

  #forgetHeld(): void {
    // with a body that has gone and was not kept, nothing can be sent again
    if (this.#heldBytes > 0) this.#isLost = true
    this.#held = undefined
    this.#heldBytes = 0
  }

  #pauseRequest(): void {
    if (this.#isPaused || this.isRequestWhole) return
    this.#isPaused = true
    this.stream.pause()
  }

  #resumeRequest(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.stream.resume()
  }

  #releaseRequest(): void {
    if (this.#heldBytes < MAX_HELD_BYTES) this.#resumeRequest()
  }

  #dropTry(): void {
    const current = this.#try
    this.#try = undefined
    current?.drop()
  }

  #timedOut(kind: TimeoutKind): void {
    if (this.stage === 'done') return
    const { flag, details, status, body } = TIMEOUTS[kind]
    if (this.stage === 'waiting') {
      const early = kind === 'idle' && this.isRequestWhole ? 504 : status
      this.respond({ status: early, flag, details, body })
      return
    }
    this.#dropTry()
    this.flags.add(flag)
    this.details = details
    this.stream.reset('timeout')
    this.finish()
  }

  finish(): void {
    if (this.stage === 'done') return
    this.stage = 'done'
    this.#times?.cancel()
    this.#pacer?.stop()
    this.#dropTry()
    this.#held = undefined
    const wanted = this.#wanted
    this.#wanted = undefined
    const hooks = this.#endHooks
    if (hooks) {
      const summary = this.#summary()
      for (let i = hooks.length - 1; i >= 0; i--) hooks[i]?.(summary)
    }
    wanted?.done(undefined)
    // a client that goes on sending what nobody reads is not held up
    this.#resumeRequest()
  }

  #noteGrpcStatus(headers: Headers): void {
    const grpc = headers.get('grpc-status')
    if (grpc !== undefined) this.grpcStatus = Number(grpc)
  }

  #summary(): ExchangeSummary {
    const { startedMs, bytesReceived, bytesSent, details } = this
    const durationMs = this.wheel.nowMs() - startedMs
    const summary: Writable<ExchangeSummary> = { startedMs, durationMs, bytesReceived, bytesSent, flags: this.#flags ?? NO_FLAGS, details }
    // a spread for each of them would cost more than the rest
    if (this.status !== undefined) summary.status = this.status
    if (this.grpcStatus !== undefined) summary.grpcStatus = this.grpcStatus
    return summary
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

const NO_FLAGS: ReadonlySet<ResponseFlag> = new Set()
