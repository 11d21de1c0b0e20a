import type { HealthCheck } from '../../../policy/traffic/model/index.ts'
import { isExpectedStatus, type Host, type Probe, type UpstreamCluster } from '../clusters/index.ts'
import type { UpstreamEndpoint, UpstreamOptions } from '../contract.ts'
import type { EngineEndpoint, TimerWheel } from '../engine/index.ts'
import type { Connection } from '../transport/contract.ts'
import type { Transport } from '../transport/choose-transport.ts'
import { grpcFrame } from '../../../protocols/grpc-frames/index.ts'
import { readFields } from '../../../protocols/protobuf/index.ts'
import { InternalCall, InternalCallError, type InternalAnswer, type InternalRequest } from './internal-call.ts'
import { grpcMessageOf } from './internal-client.ts'

export interface ProbeParts {
  readonly wheel: TimerWheel
  readonly openEndpoint: (options: UpstreamOptions) => UpstreamEndpoint
  readonly dial: Transport['dial']
}

type HttpCheck = HealthCheck & { readonly type: 'http' }
type TcpCheck = HealthCheck & { readonly type: 'tcp' }
type GrpcCheck = HealthCheck & { readonly type: 'grpc' }

/** What an answer to a check may have; its body says nothing over HTTP. */
const MAX_ANSWER = 65_536
/** Checks have connections of their own: a full pool is not a sick endpoint. */
const ADMIT_ALL: UpstreamOptions['admit'] = {
  connectionOpening: () => true,
  connectionClosed() {},
  requestPending: () => true,
  requestNoLongerPending() {},
}

interface Kept {
  /** What it was made for. */
  readonly config: UpstreamCluster['config']
  readonly check: HealthCheck
  readonly endpoint: EngineEndpoint
}

/** Asks endpoints whether they are well: HTTP by status, gRPC by grpc.health.v1, TCP by connecting and by what is said. Source: Envoy, health checking. */
export function createProbe(parts: ProbeParts): { readonly probe: Probe; close(): void } {
  // connections stay between the checks; they go by themselves when no more checks come
  const kept = new WeakMap<Host, Kept>()
  const open = new Set<EngineEndpoint>()

  const endpointFor = (cluster: UpstreamCluster, host: Host, check: HttpCheck | GrpcCheck): EngineEndpoint => {
    const known = kept.get(host)
    if (known?.config === cluster.config && known.check === check) return known.endpoint
    if (known) forget(known.endpoint)
    const wire = cluster.wireOf(host, check.type === 'grpc' ? 'http2' : 'http1')
    const options = cluster.optionsFor(host, wire)
    const connectTimeoutMs = Math.min(options.connectTimeoutMs, check.timeoutMs)
    const idleTimeoutMs = 2 * check.intervalMs + check.timeoutMs
    const endpoint = parts.openEndpoint({ ...options, admit: ADMIT_ALL, connectTimeoutMs, idleTimeoutMs }) as EngineEndpoint
    open.add(endpoint)
    if (check.reuseConnection !== false) kept.set(host, { config: cluster.config, check, endpoint })
    return endpoint
  }
  const forget = (endpoint: EngineEndpoint): void => {
    open.delete(endpoint)
    endpoint.destroy()
  }

  const ask = (cluster: UpstreamCluster, host: Host, check: HttpCheck | GrpcCheck, done: (ok: boolean) => void): void => {
    const endpoint = endpointFor(cluster, host, check)
    const request = check.type === 'http' ? httpRequest(cluster, check) : grpcRequest(cluster, check)
    const limits = { timeoutMs: check.timeoutMs, maxBytes: MAX_ANSWER }
    const isGood = (answer: InternalAnswer): boolean => (check.type === 'http' ? isExpectedStatus(check, answer.status) : isServing(answer))
    const tryOnce = (mayBeStale: boolean): void => {
      void new InternalCall(endpoint, request, limits, parts.wheel, (result) => {
        // a connection that lay idle may have ended: that is no answer
        const isStale = result instanceof InternalCallError && result.unprocessed && result.kind === 'closed'
        if (isStale && mayBeStale) return tryOnce(false)
        if (check.reuseConnection === false) forget(endpoint)
        // the body of an HTTP answer need not be read to its end
        const isLong = result instanceof InternalCallError && result.kind === 'tooLarge' && result.status !== undefined
        done(
          isLong && check.type === 'http'
            ? isExpectedStatus(check, result.status ?? 0)
            : !(result instanceof InternalCallError) && isGood(result),
        )
      })
    }
    tryOnce(check.reuseConnection !== false)
  }

  return {
    probe(host, check, done, cluster) {
      if (check.type === 'tcp') probeTcp(cluster, host, check, parts, done)
      else ask(cluster, host, check, done)
    },
    close() {
      for (const endpoint of open) endpoint.destroy()
      open.clear()
    },
  }
}

function httpRequest(cluster: UpstreamCluster, { path, host, headers = [] }: HttpCheck): InternalRequest {
  const agent = headers.some(({ name }) => name === 'user-agent') ? [] : [{ name: 'user-agent', value: 'biplane/health-check' }]
  return { method: 'GET', path, authority: host ?? cluster.config.name, headers: [...agent, ...headers] }
}

/** `grpc.health.v1.Health/Check`. Source: grpc.github.io, health-checking. */
function grpcRequest(cluster: UpstreamCluster, { service = '', authority }: GrpcCheck): InternalRequest {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([10, ...varint(name.length)]), name])
  return {
    method: 'POST',
    path: '/grpc.health.v1.Health/Check',
    authority: authority ?? cluster.config.name,
    headers: [
      { name: 'content-type', value: 'application/grpc' },
      { name: 'te', value: 'trailers' },
      { name: 'user-agent', value: 'biplane/health-check' },
    ],
    body: grpcFrame(message),
  }
}

const SERVING = 1n

function isServing(answer: InternalAnswer): boolean {
  try {
    let status = 0n
    for (const { number, value } of readFields(grpcMessageOf(answer))) if (number === 1 && typeof value === 'bigint') status = value
    return status === SERVING
  } catch {
    // another status than OK, or no message of this kind
    return false
  }
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

/** Connects; with `receive`, says `send` and waits for the given pieces in their order, anything between them. Both are base64, as Kuma has it. */
function probeTcp(cluster: UpstreamCluster, host: Host, check: TcpCheck, { wheel, dial }: ProbeParts, done: (ok: boolean) => void): void {
  let connection: Connection | undefined
  let isOver = false
  const finish = (ok: boolean): void => {
    if (isOver) return
    isOver = true
    deadline.cancel()
    connection?.destroy()
    done(ok)
  }
  const deadline = wheel.deadline(() => finish(false))
  deadline.set(check.timeoutMs)
  const { address, tls } = cluster.optionsFor(host, 'tcp')
  let session: ReturnType<NonNullable<typeof tls>> | undefined
  try {
    session = tls?.()
  } catch {
    // there is no certificate yet
    setImmediate(() => finish(false))
    return
  }
  const wanted = (check.receive ?? []).map((text) => Buffer.from(text, 'base64'))
  const search = new PieceSearch(wanted)
  dial({ address, timeoutMs: check.timeoutMs, ...(session ? { tls: session } : {}) }).then(
    (made) => {
      connection = made
      made.handle({
        onData(buffer, start, end) {
          if (search.take(buffer.subarray(start, end))) finish(true)
        },
        onEnd: () => finish(false),
        onDrain() {},
        onClose: () => finish(false),
      })
      if (isOver) return made.destroy()
      if (check.send !== undefined) made.write(Buffer.from(check.send, 'base64'))
      if (search.isDone) finish(true)
    },
    () => finish(false),
  )
}

/** Finds pieces one after the other in what comes; holds no more of it than a piece is long. */
export class PieceSearch {
  readonly #pieces: Buffer[]
  #held: Buffer = Buffer.alloc(0)

  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces.filter(({ length }) => length > 0)
  }

  get isDone(): boolean {
    return this.#pieces.length === 0
  }

  /** @returns all of them were found */
  take(chunk: Buffer): boolean {
    let bytes = Buffer.concat([this.#held, chunk])
    for (;;) {
      const [piece] = this.#pieces
      if (!piece) return true
      const at = bytes.indexOf(piece)
      if (at < 0) {
        this.#held = Buffer.from(bytes.subarray(Math.max(0, bytes.length - piece.length + 1)))
        return false
      }
      bytes = bytes.subarray(at + piece.length)
      this.#pieces.shift()
    }
  }
}
