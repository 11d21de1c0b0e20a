import type { Attempt, Headers, ResponseFlag, ResponseHead, UpstreamFailure } from '../contract.ts'
import type { EngineEndpoint, UpstreamEvents, UpstreamStream } from './contract.ts'
import type { HttpExchange } from './exchange.ts'
import { HeaderList } from './header-list.ts'
import type { Deadline } from './timer-wheel.ts'

/** One attempt of an exchange: an upstream's stream and what it has come to. */
export class Try implements UpstreamEvents {
  readonly #exchange: HttpExchange
  readonly #attempt: Attempt
  readonly #startedMs: number
  #stream: UpstreamStream | undefined
  #deadline: Deadline | undefined
  #isOver = false
  #hasHead = false
  #isPaused = false
  /** The head has been written: bodies may follow. */
  isReady = false

  constructor(exchange: HttpExchange, attempt: Attempt) {
    this.#exchange = exchange
    this.#attempt = attempt
    this.#startedMs = exchange.wheel.nowMs()
  }

  start(): void {
    const { request, connection, isRequestWhole } = this.#exchange
    const { prepare, perTryTimeoutMs, endpoint } = this.#attempt
    // what one try changes is not there in the next
    const head = prepare ? { ...copyHead(request), headers: HeaderList.copy(request.headers) } : request
    prepare?.(head)
    if (perTryTimeoutMs > 0) {
      this.#deadline = this.#exchange.wheel.deadline(() =>
        this.#fail({ kind: 'perTryTimeout', message: `no answer within ${perTryTimeoutMs} ms`, unprocessed: false }),
      )
      this.#deadline.set(perTryTimeoutMs)
    }
    const hasBody = !request.endsWithHead || request.upgrade !== undefined
    const downstreamProtocol = connection.protocol === 'http2' ? 'http2' : 'http1'
    this.#stream = (endpoint as EngineEndpoint).open({ head, hasBody, downstreamProtocol }, this)
    // a pooled connection is ready at once, before its stream was known: what was held of the body could not go
    if (this.isReady) this.#exchange.upstreamReady(this)
    if (isRequestWhole && !hasBody) this.isReady = true
  }

  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#isOver || (this.#stream?.write(buffer, start, end) ?? true)
  }

  end(trailers: Headers | undefined): void {
    const { endsWithHead, upgrade } = this.#exchange.request
    // a request that ended with its head has said so there
    if (!this.#isOver && !(endsWithHead && upgrade === undefined)) this.#stream?.end(trailers)
  }

  /** The client can take more of the response. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#stream?.resume()
  }

  /** It is not wanted any more; says so to whoever made it. */
  drop(): void {
    if (this.#isOver) return
    this.#stream?.cancel()
    this.#over(false)
  }

  // events of the upstream

  onReady(): void {
    if (this.#isOver) return
    this.isReady = true
    if (this.#stream) this.#exchange.upstreamReady(this)
  }

  onInformational(status: number, headers: Headers): void {
    if (!this.#isOver && !this.#hasHead) this.#exchange.stream.sendInformational(status, headers)
  }

  onHead(head: ResponseHead, end: boolean): void {
    if (this.#isOver) return
    this.#deadline?.cancel()
    this.#exchange.touch()
    if (this.#attempt.onHead(head) === 'discard') {
      if (!this.#isOver) this.drop()
      return
    }
    if (this.#isOver) return
    this.#hasHead = true
    this.#exchange.commit()
    if (end) {
      this.#over(true, head.headers)
      this.#exchange.sendHead(head, true)
    } else this.#exchange.sendHead(head, false)
  }

  onData(buffer: Buffer, start: number, end: number): void {
    if (this.#isOver) return
    if (this.#exchange.sendBody(buffer, start, end) || this.#isPaused) return
    this.#isPaused = true
    this.#stream?.pause()
  }

  onEnd(trailers?: Headers): void {
    if (this.#isOver) return
    this.#over(true, trailers)
    this.#exchange.endResponse(trailers)
  }

  onDrain(): void {
    if (!this.#isOver) this.#exchange.resumeRequest()
  }

  onFailure(failure: UpstreamFailure): void {
    this.#fail(failure)
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deadline?.cancel()
    this.#stream?.cancel()
    if (!this.#hasHead) {
      this.#attempt.onFailure(failure)
      return this.#done(false)
    }
    this.#done(false)
    this.#exchange.breakResponse(flagOf(failure), `upstream_reset_after_response_started{${failure.message}}`)
  }

  #over(ok: boolean, status?: Headers): void {
    this.#isOver = true
    this.#deadline?.cancel()
    this.#done(ok, status)
  }

  #done(ok: boolean, status?: Headers): void {
    const durationMs = this.#exchange.wheel.nowMs() - this.#startedMs
    const grpc = this.#exchange.request.isGrpc ? status?.get('grpc-status') : undefined
    this.#attempt.onDone(grpc === undefined ? { ok, durationMs } : { ok, durationMs, grpcStatus: Number(grpc) })
  }
}

function copyHead(head: HttpExchange['request']): HttpExchange['request'] {
  const { method, path, authority, scheme, headers, isGrpc, upgrade, endsWithHead } = head
  return { method, path, authority, scheme, headers, isGrpc, endsWithHead, ...(upgrade === undefined ? {} : { upgrade }) }
}

function flagOf({ kind }: UpstreamFailure): ResponseFlag {
  if (kind === 'closed') return 'UC'
  return kind === 'protocol' ? 'UPE' : 'UR'
}
