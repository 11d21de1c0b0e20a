import type { Random } from '../../../base/backoff.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { TcpProxy } from '../../../policy/traffic/model/index.ts'
import type { ClusterManager, Host, UpstreamCluster } from '../clusters/index.ts'
import type { Downstream } from '../contract.ts'
import type { Deadline, TimerWheel } from '../engine/index.ts'
import { forwardTcp } from '../tcp/index.ts'
import type { Connection, Transport } from '../transport/index.ts'
import type { LiveChain, LiveConnection } from './live-chain.ts'

export interface TcpCarrierDeps {
  readonly clusters: ClusterManager
  readonly transport: Transport
  readonly wheel: TimerWheel
  readonly random: Random
  readonly log: Logger
}

/** Carries connections whose bytes nobody looks at: picks a cluster by weight, an endpoint, and joins the two. */
export class TcpCarrier {
  readonly #deps: TcpCarrierDeps

  constructor(deps: TcpCarrierDeps) {
    this.#deps = deps
  }

  carry(connection: Connection, live: LiveChain, downstream: Downstream): void {
    const { tcp } = live.source.chain
    const { wheel } = this.#deps
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
    // what comes before there is an upstream stays in the kernel
    const closed = (): void => {
      deadline?.cancel()
      live.connections.delete(entry)
    }
    this.#connect(tcp, downstream).then(
      ({ upstream, host, cluster }) => {
        host.active++
        const { table, connections, connectionsActive } = cluster.stats
        table.inc(connections)
        table.add(connectionsActive, 1)
        forwardTcp(connection, upstream, {
          wheel,
          ...(tcp?.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: tcp.idleTimeoutMs }),
          onEnd: () => {
            host.active--
            table.add(connectionsActive, -1)
            cluster.circuit.connectionClosed()
            closed()
          },
        })
      },
      (error: unknown) => {
        closed()
        connection.destroy()
        this.#deps.log.debug('no upstream for a connection', { chain: live.source.chain.name, error: messageOf(error) })
      },
    )
  }

  async #connect(
    tcp: TcpProxy | undefined,
    downstream: Downstream,
  ): Promise<{ upstream: Connection; host: Host; cluster: UpstreamCluster }> {
    const attempts = Math.max(1, tcp?.maxConnectAttempts ?? 1)
    const cluster = this.#cluster(tcp)
    const tried: Host[] = []
    for (let attempt = 1; ; attempt++) {
      const host = cluster.pick({ tried, ...(downstream.original ? { original: downstream.original } : {}) })
      if (!host) throw new Error(`cluster ${cluster.config.name} has no endpoint that can be used`)
      if (!cluster.circuit.connectionOpening()) throw new Error(`cluster ${cluster.config.name} may have no more connections`)
      const { address, tls, connectTimeoutMs } = cluster.optionsFor(host, 'tcp')
      try {
        const made = tls?.()
        const upstream = await this.#deps.transport.dial({ address, timeoutMs: connectTimeoutMs, ...(made ? { tls: made } : {}) })
        return { upstream, host, cluster }
      } catch (error) {
        cluster.circuit.connectionClosed()
        cluster.stats.table.inc(cluster.stats.connectFail)
        cluster.report(host, 'local')
        tried.push(host)
        if (attempt >= attempts) throw error
      }
    }
  }

  #cluster(tcp: TcpProxy | undefined): UpstreamCluster {
    const choices = tcp?.clusters ?? []
    let left = this.#deps.random() * choices.reduce((sum, { weight }) => sum + weight, 0)
    const chosen = choices.find(({ weight }) => (left -= weight) < 0) ?? choices.at(-1)
    const cluster = chosen && this.#deps.clusters.get(chosen.name)
    if (!cluster) throw new Error(chosen ? `there is no cluster ${chosen.name}` : 'no cluster is named')
    return cluster
  }
}
