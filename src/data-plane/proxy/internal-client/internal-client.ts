import { GrpcError, GrpcReader, GrpcStatus, grpcFrame, grpcStatusOf } from '../../../protocols/grpc-frames/index.ts'
import type { ClusterManager, Host, UpstreamCluster } from '../clusters/index.ts'
import type { EngineEndpoint, TimerWheel } from '../engine/index.ts'
import { headOf, InternalCall, InternalCallError, type InternalAnswer, type InternalRequest } from './internal-call.ts'

export interface CallOptions {
  /** For all of it: connection, answer, other tries. */
  readonly timeoutMs: number
  /** Longest body of an answer; default 1 MiB. */
  readonly maxBytes?: number
}

/** A call under way: its answer, or the end of waiting for it. */
export interface PendingCall {
  /** Rejects with {@link InternalCallError}; never settles after `cancel`. */
  readonly answer: Promise<InternalAnswer>
  cancel(): void
}

export interface GrpcCall {
  /** `/package.Service/Method` */
  readonly path: string
  readonly authority: string
  readonly message: Uint8Array
  readonly headers?: InternalRequest['headers']
}

/** Requests of the proxy itself, through its clusters: their endpoints, limits, TLS and statistics. */
export interface InternalClient {
  /** Asks an endpoint of a cluster. Another one is asked where nothing was done with the request. Rejects with {@link InternalCallError}. */
  call(cluster: string, request: InternalRequest, options: CallOptions): Promise<InternalAnswer>
  /** The same, for those who may lose interest. */
  start(cluster: string, request: InternalRequest, options: CallOptions): PendingCall
  /** The same, of one endpoint and no cluster. */
  ask(endpoint: EngineEndpoint, request: InternalRequest, options: CallOptions): PendingCall
  /** A unary call of gRPC; the endpoint has to speak HTTP/2. Rejects with {@link InternalCallError}, or GrpcError where the answer has another status than OK. */
  grpc(cluster: string, call: GrpcCall, options: CallOptions): PendingGrpc
}

export interface PendingGrpc {
  readonly message: Promise<Buffer>
  cancel(): void
}

const MAX_BYTES = 1_048_576
/** How often a request is sent again that nothing was done with. */
const TRIES_AGAIN = 2

export function createInternalClient(parts: {
  readonly clusters: Pick<ClusterManager, 'get'>
  readonly wheel: TimerWheel
}): InternalClient {
  const { clusters, wheel } = parts

  const ask = (endpoint: EngineEndpoint, request: InternalRequest, options: CallOptions): PendingCall => {
    let call: InternalCall | undefined
    const answer = new Promise<InternalAnswer>((resolve, reject) => {
      const limits = { timeoutMs: options.timeoutMs, maxBytes: options.maxBytes ?? MAX_BYTES }
      call = new InternalCall(endpoint, request, limits, wheel, (result) =>
        result instanceof InternalCallError ? reject(result) : resolve(result),
      )
    })
    return { answer, cancel: () => call?.cancel() }
  }

  const start = (name: string, request: InternalRequest, options: CallOptions): PendingCall => {
    const untilMs = wheel.nowMs() + options.timeoutMs
    let cancelled = false
    let cancelTry: (() => void) | undefined
    const cluster = clusters.get(name)
    if (!cluster) return refused('noCluster', `there is no cluster ${name}`)
    if (!cluster.circuit.requestStarting()) return refused('overflow', `cluster ${name} takes no more requests`)
    // whoever cancels never hears of it again, but the circuit does
    const leave = once(() => cluster.circuit.requestEnded())
    const tryOnce = async (tried: readonly Host[]): Promise<InternalAnswer> => {
      const host = cluster.pick({ tried })
      if (!host) throw new InternalCallError('noHost', `cluster ${name} has no endpoint to ask`)
      const timeoutMs = Math.max(1, untilMs - wheel.nowMs())
      const pending = ask(endpointOf(cluster, host, request), request, { ...options, timeoutMs })
      host.active++
      const over = once(() => void host.active--)
      cancelTry = () => {
        over()
        pending.cancel()
      }
      const startedMs = wheel.nowMs()
      const { stats } = cluster
      stats.table.inc(stats.requests)
      try {
        const answer = await pending.answer
        stats.table.inc(stats.completed)
        stats.table.observe(stats.time, wheel.nowMs() - startedMs)
        stats.response(answer.status)
        cluster.report(host, answer.status)
        return answer
      } catch (error) {
        const failure = error as InternalCallError
        noteFailure(cluster, host, failure)
        if (!failure.unprocessed || tried.length >= TRIES_AGAIN || failure.kind === 'overflow' || cancelled) throw error
      } finally {
        over()
      }
      return tryOnce([...tried, host])
    }
    return {
      answer: tryOnce([]).finally(leave),
      cancel() {
        cancelled = true
        cancelTry?.()
        leave()
      },
    }
  }

  const grpc = (name: string, call: GrpcCall, options: CallOptions): PendingGrpc => {
    const pending = start(
      name,
      {
        method: 'POST',
        path: call.path,
        authority: call.authority,
        headers: [
          { name: 'content-type', value: 'application/grpc' },
          { name: 'te', value: 'trailers' },
          { name: 'grpc-timeout', value: `${Math.max(1, Math.ceil(options.timeoutMs))}m` },
          ...(call.headers ?? []),
        ],
        body: grpcFrame(call.message),
      },
      options,
    )
    return { message: pending.answer.then(grpcMessageOf), cancel: () => pending.cancel() }
  }

  return { call: (name, request, options) => start(name, request, options).answer, start, ask, grpc }
}

/** The message of a unary answer. @throws {GrpcError} */
export function grpcMessageOf({ status, headers, trailers, body }: InternalAnswer): Buffer {
  const last = trailers?.has('grpc-status') ? trailers : headers
  const ended = grpcStatusOf({ 'grpc-status': last.get('grpc-status'), 'grpc-message': last.get('grpc-message') })
  if (!ended) throw new GrpcError(GrpcStatus.UNKNOWN, `the answer has HTTP status ${status} and no grpc-status`)
  if (ended.code !== GrpcStatus.OK) throw new GrpcError(ended.code, ended.message)
  const messages = new GrpcReader(Math.max(body.length, 1)).push(body)
  const [message] = messages
  if (!message || messages.length > 1) throw new GrpcError(GrpcStatus.INTERNAL, `the answer has ${messages.length} messages instead of one`)
  return message
}

/** The pool that the cluster's own requests use. */
function endpointOf(cluster: UpstreamCluster, host: Host, request: InternalRequest): EngineEndpoint {
  return cluster.connect(host, headOf(request).isGrpc ? 'http2' : 'http1') as EngineEndpoint
}

function noteFailure(cluster: UpstreamCluster, host: Host, { kind, unprocessed }: InternalCallError): void {
  const { table, connectFail, connectTimeout, rxReset, timeout } = cluster.stats
  if (kind === 'connect' || kind === 'tls') table.inc(connectFail)
  else if (kind === 'connectTimeout') table.inc(connectTimeout)
  else if (kind === 'timeout') table.inc(timeout)
  else if (kind === 'reset' || kind === 'refusedStream' || kind === 'closed') table.inc(rxReset)
  // a stale connection, our own limits and too long an answer say nothing about the endpoint
  const isStale = unprocessed && (kind === 'closed' || kind === 'reset' || kind === 'refusedStream')
  if (kind !== 'overflow' && kind !== 'tooLarge' && !isStale) cluster.report(host, 'local')
}

function refused(kind: InternalCallError['kind'], message: string): PendingCall {
  const answer = Promise.reject(new InternalCallError(kind, message, true))
  return { answer, cancel() {} }
}

function once(run: () => void): () => void {
  let hasRun = false
  return () => {
    if (hasRun) return
    hasRun = true
    run()
  }
}
