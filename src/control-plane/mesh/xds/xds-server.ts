import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import { loadStatsResponse } from '../../../protocols/discovery/index.ts'
import { GrpcError, grpcFrame, GrpcReader, GrpcStatus } from '../../../protocols/grpc-frames/index.ts'
import { SIGN_CERTIFICATE_PATH } from '../../../protocols/mesh-link.ts'
import type { ClientKind, Quarantine, ResourceSource } from './contract.ts'
import { DiscoveryCall, endCall, refuseCall, statusOf, type StreamIdentity } from './discovery-call.ts'
import { createXdsMeters, type XdsMeters } from './metrics.ts'
import { Pusher, type PushTarget } from './pusher.ts'
import { SendBudget } from './send-budget.ts'
import type { StreamLimits, StreamObserver, StreamOptions, StreamState } from './stream-state.ts'
import { Truth, type ProxyTruth } from './truth.ts'

export const SOTW_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources'
export const DELTA_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
export const LOAD_STATS_PATH = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats'

export interface XdsServerLimits {
  /** Default 1,000: a node agent relays all proxies of its node. */
  readonly streamsPerConnection: number
  /** Default 4 MiB. */
  readonly messageBytes: number
  /** What may wait for clients to read it, of all together; further responses wait until there is room. Default 256 MiB. */
  readonly queuedBytes: number
  /** Milliseconds after which a client that reads nothing of what was sent is cut off; twice that at most. Default 30,000. */
  readonly unreadMs: number
  /** Milliseconds between pings of a connection, and how long an answer may take. Default 30,000. */
  readonly pingMs: number
  /** Milliseconds between load reports that clients are asked for; whole seconds. Default 10,000. */
  readonly loadReportMs: number
}

export interface XdsServerOptions {
  readonly source: ResourceSource
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Logger
  /** Who a stream comes from. @throws {GrpcError} or an error with code `Unauthenticated` or `PermissionDenied`: refused with that */
  readonly authenticate: (session: ServerHttp2Session, headers: IncomingHttpHeaders) => Promise<StreamIdentity>
  /** Who executes the configuration of a proxy. */
  readonly kindOf: (proxy: string) => ClientKind
  /** Answers SignCertificate: body in, body out. */
  readonly signCertificate?: (identity: StreamIdentity, body: Buffer) => Promise<Buffer>
  readonly quarantine?: Quarantine
  readonly limits?: Partial<XdsServerLimits>
  readonly streamLimits?: Partial<StreamLimits>
}

const DEFAULTS: XdsServerLimits = {
  streamsPerConnection: 1_000,
  messageBytes: 4 * 1024 * 1024,
  queuedBytes: 256 * 1024 * 1024,
  unreadMs: 30_000,
  pingMs: 30_000,
  loadReportMs: 10_000,
}

/** Distribution over HTTP/2. Give it the sessions and streams of any server: `server.on('stream', (stream, headers) => xds.handle(stream, headers))`. */
export class XdsServer {
  readonly truth: Truth
  readonly #options: XdsServerOptions
  readonly #limits: XdsServerLimits
  readonly #pusher: Pusher
  readonly #meters: XdsMeters
  readonly #sessions: Map<ServerHttp2Session, { streams: number }> = new Map()
  readonly #calls: Set<DiscoveryCall> = new Set()
  readonly #budget: SendBudget
  readonly #stop: () => void
  #sweep: Timer | undefined

  constructor(options: XdsServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULTS, ...options.limits }
    this.truth = new Truth({
      monotonic: () => options.clock.monotonic(),
      ...(options.quarantine ? { quarantine: options.quarantine } : {}),
    })
    this.#meters = createXdsMeters(options.metrics, () => this.#pusher.streams)
    this.#pusher = new Pusher(options.clock, (durationMs) => {
      this.#meters.pushes.inc()
      this.#meters.generation.observe(durationMs / 1_000)
    })
    this.#budget = new SendBudget(this.#limits.queuedBytes)
    this.#stop = options.source.onChange((change) => this.#pusher.changed(change))
  }

  /** Takes a stream. Unknown paths end with UNIMPLEMENTED. */
  handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => {})
    const session = stream.session as ServerHttp2Session | undefined
    if (!session) return
    const count = this.#watch(session)
    if (count.streams >= this.#limits.streamsPerConnection) {
      return refuseCall(stream, GrpcStatus.RESOURCE_EXHAUSTED, `more than ${this.#limits.streamsPerConnection} streams on one connection`)
    }
    count.streams++
    stream.once('close', () => count.streams--)
    const path = headers[':path'] ?? ''
    const known = [SOTW_PATH, DELTA_PATH, LOAD_STATS_PATH, SIGN_CERTIFICATE_PATH].includes(path)
    if (headers[':method'] !== 'POST' || !known) return refuseCall(stream, GrpcStatus.UNIMPLEMENTED, `no such method: ${path}`)
    this.#options.authenticate(session, headers).then(
      (identity) => this.#serve(stream, path, identity),
      (error: unknown) => refuseCall(stream, ...refusalOf(error)),
    )
  }

  /** All proxies and how far they are. */
  view(): readonly ProxyTruth[] {
    return this.truth.proxies()
  }

  /** Bytes of responses that wait to be read, and how many streams wait until there is room for theirs. */
  get unread(): { readonly bytes: number; readonly waiting: number } {
    return { bytes: this.#budget.used, waiting: this.#budget.waiting }
  }

  /** Ends all streams with UNAVAILABLE: clients go to another replica. Those with something unread are cut off: they would read that first, or never. */
  close(): void {
    this.#stop()
    for (const call of this.#calls) {
      if (call.unreadSince === undefined) call.end(GrpcStatus.UNAVAILABLE, 'the control plane is going')
      else call.drop()
    }
    this.#pusher.close()
    this.#sweep?.cancel()
  }

  #serve(stream: ServerHttp2Stream, path: string, identity: StreamIdentity): void {
    if (stream.destroyed) return
    if (path === SIGN_CERTIFICATE_PATH) return this.#sign(stream, identity)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    if (path === LOAD_STATS_PATH) return this.#loadStats(stream)
    let observed: StreamState | undefined
    const call = new DiscoveryCall(stream, {
      protocol: path === DELTA_PATH ? 'delta' : 'sotw',
      identity,
      maxMessageBytes: this.#limits.messageBytes,
      budget: this.#budget,
      monotonic: () => this.#options.clock.monotonic(),
      streamOptions: (proxy) => this.#streamOptions(proxy, () => observed),
      opened: (target: PushTarget) => {
        observed = target.state
        this.truth.add(target.state, this.#options.kindOf(target.state.proxy), this.#options.clock.now())
        this.#pusher.add(target)
      },
      closed: (target: PushTarget) => {
        this.#pusher.remove(target)
        this.truth.remove(target.state)
      },
    })
    this.#calls.add(call)
    stream.once('close', () => this.#calls.delete(call))
    this.#sweep ??= this.#sweepLater()
  }

  /** Looks for clients that read nothing as long as there are any. */
  #sweepLater(): Timer {
    const { clock } = this.#options
    return clock.after(this.#limits.unreadMs, () => {
      const before = clock.monotonic() - this.#limits.unreadMs
      for (const call of this.#calls) if ((call.unreadSince ?? Number.POSITIVE_INFINITY) <= before) call.drop()
      this.#sweep = this.#calls.size > 0 ? this.#sweepLater() : undefined
    })
  }

  #streamOptions(proxy: string, stream: () => StreamState | undefined): StreamOptions {
    const { source, clock, log, streamLimits } = this.#options
    const touch = (): void => {
      const state = stream()
      if (state) this.truth.touch(state)
    }
    const observer: StreamObserver = {
      sent: touch,
      acked: ({ typeUrl }, durationMs) => {
        this.#meters.delivery(typeUrl).observe(durationMs / 1_000)
        touch()
      },
      refused: ({ typeUrl }, resources, reason) => {
        this.#meters.nacks(typeUrl).inc()
        log.warn('a proxy has refused configuration', {
          proxy,
          type: typeUrl,
          names: resources.slice(0, 10).map(({ name }) => name),
          reason,
        })
        const state = stream()
        if (state) this.truth.refused(state, resources, reason)
      },
    }
    return {
      proxy,
      source,
      observer,
      monotonic: () => clock.monotonic(),
      now: () => clock.now(),
      ...(streamLimits ? { limits: streamLimits } : {}),
    }
  }

  /** Reports are asked for and read; clients that name no clusters report all. */
  #loadStats(stream: ServerHttp2Stream): void {
    const reader = new GrpcReader(this.#limits.messageBytes)
    let asked = false
    stream.on('data', (chunk: Buffer) => {
      try {
        const messages = reader.push(chunk)
        if (messages.length === 0 || asked) return
        asked = true
        stream.write(grpcFrame(loadStatsResponse(Math.round(this.#limits.loadReportMs / 1_000))))
      } catch (error) {
        endCall(stream, ...statusOf(error))
      }
    })
    stream.on('end', () => endCall(stream, GrpcStatus.OK, ''))
  }

  #sign(stream: ServerHttp2Stream, identity: StreamIdentity): void {
    const { signCertificate } = this.#options
    if (!signCertificate) return refuseCall(stream, GrpcStatus.UNIMPLEMENTED, 'no certificates are signed here')
    const reader = new GrpcReader(this.#limits.messageBytes)
    let taken = false
    stream.on('data', (chunk: Buffer) => {
      try {
        const [body] = reader.push(chunk)
        if (!body || taken) return
        taken = true
        signCertificate(identity, body).then(
          (answer) => {
            if (stream.destroyed) return
            stream.respond({ ':status': 200, 'content-type': 'application/grpc+json' }, { waitForTrailers: true })
            stream.write(grpcFrame(answer))
            endCall(stream, GrpcStatus.OK, '')
          },
          (error: unknown) => refuseCall(stream, ...refusalOf(error)),
        )
      } catch (error) {
        refuseCall(stream, ...statusOf(error))
      }
    })
    stream.on('end', () => {
      if (!taken) refuseCall(stream, GrpcStatus.INVALID_ARGUMENT, 'the request has no message')
    })
  }

  #watch(session: ServerHttp2Session): { streams: number } {
    const found = this.#sessions.get(session)
    if (found) return found
    const count = { streams: 0 }
    this.#sessions.set(session, count)
    session.once('close', () => this.#sessions.delete(session))
    session.on('error', () => {})
    this.#ping(session)
    return count
  }

  #ping(session: ServerHttp2Session): void {
    const { clock } = this.#options
    clock.after(this.#limits.pingMs, () => {
      if (session.destroyed) return
      const dead = clock.after(this.#limits.pingMs, () => session.destroy(undefined, constants.NGHTTP2_NO_ERROR))
      session.ping((error) => {
        dead.cancel()
        if (!error) this.#ping(session)
      })
    })
  }
}

function refusalOf(error: unknown): readonly [number, string] {
  if (error instanceof GrpcError) return [error.code, error.message]
  const { code } = error as { code?: unknown }
  if (code === 'PermissionDenied') return [GrpcStatus.PERMISSION_DENIED, messageOf(error)]
  if (code === 'Unavailable') return [GrpcStatus.UNAVAILABLE, messageOf(error)]
  if (code === 'Unauthenticated') return [GrpcStatus.UNAUTHENTICATED, messageOf(error)]
  return [GrpcStatus.INTERNAL, 'internal error']
}
