import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Host, PickRequest, UpstreamCluster } from '../clusters/index.ts'
import type { Attempt, Exchange, LocalReply, ResponseHead, UpstreamEndpoint, UpstreamFailure } from '../contract.ts'
import type { RequestState } from './request-state.ts'
import type { CompiledRetry } from './retry-policy.ts'
import type { Session } from './session.ts'

/** What all tries of one request share. */
export interface TryContext {
  readonly exchange: Exchange
  readonly state: RequestState
  readonly cluster: UpstreamCluster
  readonly retry: CompiledRetry | undefined
  readonly pick: PickRequest | undefined
  readonly session: Session | undefined
  readonly clock: Clock
  readonly random: Random
}

/** Requests that a pooled connection's end has swallowed are sent again so often without being asked to. */
const STALE_RETRIES = 2

/** One try. The first one is all that most requests need. */
export class UpstreamTry implements Attempt {
  endpoint!: UpstreamEndpoint
  readonly #context: TryContext
  readonly #tried: readonly Host[]
  /** Retries by the policy, and those that nobody has to ask for. */
  readonly #retries: number
  readonly #stale: number
  #host!: Host
  #startedMs = 0
  #inBudget: boolean
  #isHeadGood = false
  /** Kept: the last call may come when the exchange is somebody else's already. */
  readonly #isGrpc: boolean

  constructor(context: TryContext, tried: readonly Host[] = NOBODY, retries = 0, stale = 0, inBudget = false) {
    this.#context = context
    this.#tried = tried
    this.#retries = retries
    this.#stale = stale
    this.#inBudget = inBudget
    this.#isGrpc = context.exchange.request.isGrpc
  }

  get perTryTimeoutMs(): number {
    return this.#context.retry?.policy.perTryTimeoutMs ?? 0
  }

  start(): void {
    const { exchange, state, cluster, pick, clock } = this.#context
    const host = cluster.pick(this.#tried.length > 0 ? { ...pick, session: undefined, tried: this.#tried } : pick)
    if (!host) {
      this.#endBudget()
      return exchange.respond(NO_HEALTHY)
    }
    this.#host = state.host = host
    host.active++
    state.attempts++
    if (state.isTimed) this.#startedMs = clock.monotonic()
    this.endpoint = cluster.connect(host, exchange.connection.protocol === 'http2' ? 'http2' : 'http1')
    cluster.stats.table.inc(cluster.stats.requests)
    exchange.forward(this)
  }

  onHead(head: ResponseHead): 'send' | 'discard' {
    const { exchange, state, cluster, retry, session, pick, clock } = this.#context
    const { stats } = cluster
    stats.response(head.status)
    stats.table.inc(stats.completed)
    // the status of a gRPC call comes last
    if (!this.#isGrpc) cluster.report(this.#host, head.status)
    const isWanted = retry?.wantsResponse(head) === true
    if (isWanted && this.#retry(head)) return 'discard'
    if (isWanted && this.#retries >= (retry?.policy.attempts ?? 0)) exchange.flags.add('URX')
    if (this.#retries > 0 && !isWanted) stats.table.inc(stats.retrySuccess)
    if (state.isTimed) state.upstreamMs = clock.monotonic() - this.#startedMs
    this.#isHeadGood = true
    if (session) session.write(state, pick?.session, this.#host.name)
    exchange.details = 'via_upstream'
    return 'send'
  }

  onFailure(failure: UpstreamFailure): void {
    const { exchange, state, cluster, retry } = this.#context
    const { table, connectFail, connectTimeout, rxReset, perTryTimeout } = cluster.stats
    const { kind } = failure
    if (kind === 'connect' || kind === 'tls') table.inc(connectFail)
    else if (kind === 'connectTimeout') table.inc(connectTimeout)
    else if (kind === 'reset' || kind === 'refusedStream' || kind === 'closed') table.inc(rxReset)
    else if (kind === 'perTryTimeout') table.inc(perTryTimeout)
    // a stale connection and our own limits say nothing about the endpoint
    const isStale = failure.unprocessed && (kind === 'closed' || kind === 'reset' || kind === 'refusedStream')
    if (kind !== 'overflow' && !isStale) cluster.report(this.#host, 'local')
    state.upstreamFailure = failure.message
    if (state.ended) return
    const isWanted = retry?.wantsFailure(failure) === true
    if (isWanted && this.#retry(undefined)) return
    if (isStale && this.#retryStale()) return
    if (isWanted && this.#retries >= (retry?.policy.attempts ?? 0)) exchange.flags.add('URX')
    this.#endBudget()
    exchange.respond(REPLIES[kind])
  }

  onDone(outcome: { readonly ok: boolean; readonly grpcStatus?: number; readonly durationMs: number }): void {
    const { cluster, exchange, state } = this.#context
    this.#host.active--
    if (this.#isHeadGood) {
      cluster.stats.table.observe(cluster.stats.time, outcome.durationMs)
      if (this.#isGrpc && outcome.ok) cluster.report(this.#host, statusOfGrpc(outcome.grpcStatus))
    }
    if (!outcome.ok && !state.ended && this.#isEndpointsFault(exchange)) cluster.report(this.#host, 'local')
    this.#endBudget()
  }

  /** A response that broke off, or never came in time; not what a client has broken off. Failures before a response are told by `onFailure`. */
  #isEndpointsFault({ flags }: Exchange): boolean {
    if (flags.has('UT')) return true
    return this.#isHeadGood && !flags.has('DC') && !flags.has('DPE') && !flags.has('SI') && !flags.has('UMSDR')
  }

  /** Another try by the policy. @returns false: this was the last one */
  #retry(head: ResponseHead | undefined): boolean {
    const { exchange, state, cluster, retry, clock, random } = this.#context
    const { table, retries, retryOverflow, retryLimit } = cluster.stats
    if (!retry || state.ended) return false
    if (this.#retries >= retry.policy.attempts) {
      table.inc(retryLimit)
      return false
    }
    if (!exchange.isReplayable) return false
    this.#endBudget()
    if (!cluster.circuit.retryStarting(retry.policy.budget)) {
      table.inc(retryOverflow)
      return false
    }
    table.inc(retries)
    const next = new UpstreamTry(this.#context, [...this.#tried, this.#host], this.#retries + 1, this.#stale, true)
    const ended = state.onEnd
    const timer = clock.after(retry.delayMs(this.#retries + 1, head, random, clock.now()), () => {
      state.onEnd = ended
      next.start()
    })
    // the client may go away while it waits
    state.onEnd = () => {
      timer.cancel()
      next.#endBudget()
      ended?.()
    }
    return true
  }

  #retryStale(): boolean {
    const { exchange, state } = this.#context
    if (this.#stale >= STALE_RETRIES || !exchange.isReplayable || state.ended) return false
    const next = new UpstreamTry(this.#context, this.#tried, this.#retries, this.#stale + 1, this.#inBudget)
    this.#inBudget = false
    // not within the engine's call for the connection that has just failed
    queueMicrotask(() => {
      if (state.ended) next.#endBudget()
      else next.start()
    })
    return true
  }

  #endBudget(): void {
    if (!this.#inBudget) return
    this.#inBudget = false
    this.#context.cluster.circuit.retryEnded()
  }
}

const NOBODY: readonly Host[] = []

const NO_HEALTHY: LocalReply = { status: 503, body: 'no healthy upstream', flag: 'UH', details: 'no_healthy_upstream' }

const reset = (status: number, flag: NonNullable<LocalReply['flag']>, reason: string): LocalReply => ({
  status,
  flag,
  body: `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`,
  details: `upstream_reset_before_response_started{${reason.replaceAll(' ', '_')}}`,
})

/** Envoy's answers for what goes wrong before a response has begun. */
const REPLIES: Readonly<Record<UpstreamFailure['kind'], LocalReply>> = {
  connect: reset(503, 'UF', 'remote connection failure'),
  connectTimeout: reset(503, 'UF', 'connection timeout'),
  tls: reset(503, 'UF', 'remote connection failure, transport failure reason: TLS'),
  overflow: { ...reset(503, 'UO', 'overflow'), headers: [{ name: 'x-envoy-overloaded', value: 'true' }] },
  reset: reset(503, 'UR', 'remote reset'),
  refusedStream: reset(503, 'UR', 'remote refused stream reset'),
  closed: reset(503, 'UC', 'connection termination'),
  protocol: reset(502, 'UPE', 'protocol error'),
  perTryTimeout: { status: 504, body: 'upstream request timeout', flag: 'UT', details: 'upstream_per_try_timeout' },
}

/** What the end of a gRPC call means for the health of an endpoint. Source: Envoy, Grpc::Utility::grpcToHttpStatus. */
function statusOfGrpc(status: number | undefined): number {
  switch (status) {
    case undefined:
      return 200
    case 4:
      return 504
    case 12:
      return 501
    case 14:
      return 503
    case 2:
    case 13:
    case 15:
      return 500
    default:
      return 200
  }
}
