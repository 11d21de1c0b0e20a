import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { TcpProxy } from '../../../policy/traffic/model/index.ts'
import type { ClusterManager, Host, UpstreamCluster } from '../clusters/index.ts'
import type { Downstream, ResponseFlag } from '../contract.ts'
import type { Deadline, TimerWheel } from '../engine/index.ts'
import { forwardTcp, type TcpSummary } from '../tcp/index.ts'
import type { LogEntry } from '../telemetry/index.ts'
import type { Connection, Transport } from '../transport/index.ts'
import { connectionBegun, connectionEnded, type LiveChain, type LiveConnection } from './live-chain.ts'

export interface TcpCarrierDeps {
  readonly clusters: ClusterManager
  readonly transport: Transport
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly random: Random
  readonly log: Logger
}

/** What became of a connection, for its metrics and its line in the access log. */
interface Carried {
  readonly live: LiveChain
  readonly downstream: Downstream
  readonly startedMs: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly attempts: number
  readonly host?: Host
  readonly cluster?: UpstreamCluster
  readonly flag?: ResponseFlag
  readonly failure?: string
  readonly termination?: string
}

/** No upstream for a connection. */
class NoUpstream extends Error {
  override readonly name = 'NoUpstream'
  readonly code: ResponseFlag
  readonly attempts: number
  readonly cluster: UpstreamCluster | undefined

  constructor(code: ResponseFlag, message: string, attempts: number, cluster?: UpstreamCluster) {
    super(message)
    this.code = code
    this.attempts = attempts
    this.cluster = cluster
  }
}

/** Carries connections whose bytes nobody looks at: picks a cluster by weight, an endpoint, and joins the two. */
export class TcpCarrier {
  readonly #deps: TcpCarrierDeps

  constructor(deps: TcpCarrierDeps) {
    this.#deps = deps
  }

  carry(connection: Connection, live: LiveChain, downstream: Downstream): void {
    const { tcp } = live.source.chain
    const { wheel, log } = this.#deps
    const { stats } = live.parts
    const startedMs = wheel.nowMs()
    let deadline: Deadline | undefined
    const entry: LiveConnection = {
      downstream,
      drain() {},
      end(withinMs) {
        if (withinMs <= 0) return connection.destroy()
        deadline ??= wheel.deadline(() => connection.destroy())
        deadline.set(withinMs)
      },
    }
    live.connections.add(entry)
    connectionBegun(stats)
    const ended = (carried: Pick<Carried, 'bytesReceived' | 'bytesSent' | 'attempts'> & Partial<Carried>): void => {
      deadline?.cancel()
      live.connections.delete(entry)
      connectionEnded(stats, wheel.nowMs() - startedMs)
      stats.table.add(stats.bytesReceived, carried.bytesReceived)
      stats.table.add(stats.bytesSent, carried.bytesSent)
      this.#write({ live, downstream, startedMs, ...carried })
    }
    // what comes before there is an upstream stays in the kernel
    this.#connect(tcp, downstream).then(
      ({ upstream, host, cluster, attempts }) => {
        host.active++
        const { table, connections, connectionsActive } = cluster.stats
        table.inc(connections)
        table.add(connectionsActive, 1)
        forwardTcp(connection, upstream, {
          wheel,
          ...(tcp?.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: tcp.idleTimeoutMs }),
          onEnd: ({ bytesReceived, bytesSent, reason, error }) => {
            host.active--
            table.add(connectionsActive, -1)
            cluster.circuit.connectionClosed()
            ended({
              bytesReceived,
              bytesSent,
              attempts,
              host,
              cluster,
              ...(FLAGS[reason] ? { flag: FLAGS[reason] } : {}),
              ...(error ? { termination: error.message } : {}),
            })
          },
        })
      },
      (error: unknown) => {
        connection.destroy()
        const { code = 'UF', attempts = 0, cluster } = error instanceof NoUpstream ? error : {}
        ended({ bytesReceived: 0, bytesSent: 0, attempts, flag: code, failure: messageOf(error), ...(cluster ? { cluster } : {}) })
        log.debug('no upstream for a connection', { chain: live.source.chain.name, error: messageOf(error) })
      },
    )
  }

  /** A connection that may not come in: closed, counted and logged. */
  refuse(connection: Connection, live: LiveChain, downstream: Downstream, termination: string): void {
    connection.destroy()
    const { stats } = live.parts
    connectionBegun(stats)
    connectionEnded(stats, 0)
    this.#write({ live, downstream, startedMs: this.#deps.wheel.nowMs(), bytesReceived: 0, bytesSent: 0, attempts: 0, termination })
  }

  #write(carried: Carried): void {
    const { live, downstream, startedMs, bytesReceived, bytesSent, attempts, host, cluster, flag, failure, termination } = carried
    const { loggers } = live.parts
    if (loggers.length === 0) return
    const durationMs = this.#deps.wheel.nowMs() - startedMs
    const entry: LogEntry = {
      startMs: this.#deps.clock.now() - durationMs,
      connection: downstream,
      summary: { startedMs, durationMs, bytesReceived, bytesSent, flags: new Set(flag ? [flag] : []), details: '' },
      captured: [],
      upstreamHost: host?.name,
      upstreamCluster: cluster?.config.name,
      upstreamFailure: failure,
      upstreamMs: -1,
      attempts,
      route: live.source.chain.tcp?.route,
      virtualHost: undefined,
      termination,
    }
    for (const logger of loggers) logger.writeConnection(entry)
  }

  async #connect(
    tcp: TcpProxy | undefined,
    downstream: Downstream,
  ): Promise<{ upstream: Connection; host: Host; cluster: UpstreamCluster; attempts: number }> {
    const most = Math.max(1, tcp?.maxConnectAttempts ?? 1)
    const cluster = this.#cluster(tcp)
    const { name } = cluster.config
    const tried: Host[] = []
    for (let attempts = 1; ; attempts++) {
      const host = cluster.pick({ tried, ...(downstream.original ? { original: downstream.original } : {}) })
      if (!host) throw new NoUpstream('UH', `cluster ${name} has no endpoint that can be used`, tried.length, cluster)
      if (!cluster.circuit.connectionOpening())
        throw new NoUpstream('UO', `cluster ${name} may have no more connections`, tried.length, cluster)
      const { address, tls, connectTimeoutMs } = cluster.optionsFor(host, 'tcp')
      try {
        const made = tls?.()
        const upstream = await this.#deps.transport.dial({ address, timeoutMs: connectTimeoutMs, ...(made ? { tls: made } : {}) })
        // what failed before was no series of failures
        cluster.report(host, CONNECTED)
        return { upstream, host, cluster, attempts }
      } catch (error) {
        cluster.circuit.connectionClosed()
        cluster.stats.table.inc(cluster.stats.connectFail)
        cluster.report(host, 'local')
        tried.push(host)
        if (attempts >= most) throw new NoUpstream('UF', messageOf(error), attempts, cluster)
      }
    }
  }

  #cluster(tcp: TcpProxy | undefined): UpstreamCluster {
    const choices = tcp?.clusters ?? []
    let left = this.#deps.random() * choices.reduce((sum, { weight }) => sum + weight, 0)
    const chosen = choices.find(({ weight }) => (left -= weight) < 0) ?? choices.at(-1)
    const cluster = chosen && this.#deps.clusters.get(chosen.name)
    if (!cluster) throw new NoUpstream('NC', chosen ? `there is no cluster ${chosen.name}` : 'no cluster is named', 0)
    return cluster
  }
}

/** As a status, which is what the health of endpoints is told. */
const CONNECTED = 200
const FLAGS: Readonly<Partial<Record<TcpSummary['reason'], ResponseFlag>>> = { upstream: 'UC', downstream: 'DC', maxDuration: 'DT' }
