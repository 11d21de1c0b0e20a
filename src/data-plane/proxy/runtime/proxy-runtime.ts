import { randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import {
  INBOUND_PORT,
  MESH_PORT,
  OUTBOUND_PORT,
  outboundName,
  portOfServerName,
  type Listener,
  type SocketAddress,
} from '../../../policy/traffic/model/index.ts'
import { ClusterManager, type Place } from '../clusters/index.ts'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'
import type { UpstreamEndpoint, UpstreamOptions } from '../contract.ts'
import { openEndpoint, TimerWheel } from '../engine/index.ts'
import { createFilterLayers, Tap, type FilterLayers } from '../filters/index.ts'
import type { MeshTls } from '../identity/index.ts'
import { MetricTable } from '../telemetry/index.ts'
import { originalDestination, readClientHello, type Accepted, type Acceptor, type Transport } from '../transport/index.ts'
import { acceptConnection, type AcceptDeps } from './accept-connection.ts'
import { AccessLogs } from './access-logs.ts'
import { Chains } from './chains.ts'
import { DownstreamTlsMaker } from './downstream-tls.ts'
import { GatewayPorts } from './gateway-ports.ts'
import { ListenerTable, plainAddress } from './listener-table.ts'
import { Refusals, RefusedConnection } from './refusals.ts'
import { TcpCarrier } from './tcp-carrier.ts'
import { UpstreamTlsMaker } from './upstream-tls.ts'

/** Where the configuration of addresses comes from, by need. */
export interface ConfigSource {
  want(type: 'listener', name: string): void
  release(type: 'listener', name: string): void
  isMissing(type: 'listener', name: string): boolean
  readonly status: { readonly connected: boolean }
}

export interface ProxyRuntimeOptions {
  readonly transport: Transport
  readonly mesh: MeshTls
  readonly identity: () => string | undefined
  readonly config: () => ConfigSource
  readonly place: Place
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Name of the proxy in traces and logs of collectors. */
  readonly service: string
  /** Where access logs go that policies want in a file; default: into that file. */
  readonly logFile?: (path: string) => string
  /** Where an intercepted connection was going; undefined: nobody has redirected it. Default: as the kernel says. */
  readonly originalDestination?: (accepted: Accepted) => SocketAddress | undefined
  /** Told of each connection that comes in to the application. Default: nobody is. */
  readonly onInbound?: AcceptDeps['onInbound']
}

/** How long a connection waits for the control plane to say what is behind an address that is new to this proxy. */
const DEMAND_MS = 3_000
const PEEK_MS = 10_000
/** Addresses that are asked about at the same time. */
const MAX_WANTED = 2_048

/** A proxy at work: connections in, by what the snapshot of now says of them. */
export class ProxyRuntime {
  readonly metrics: MetricTable = new MetricTable()
  readonly tap: Tap
  readonly clusters: ClusterManager
  readonly #options: ProxyRuntimeOptions
  readonly #wheel: TimerWheel
  readonly #accessLogs: AccessLogs
  readonly #filters: FilterLayers
  readonly #downstreamTls: DownstreamTlsMaker
  readonly #upstreamTls: UpstreamTlsMaker
  readonly #chains: Chains
  readonly #refusals: Refusals
  readonly #gatewayPorts: GatewayPorts
  readonly #deps: AcceptDeps
  readonly #acceptors = new Map<string, Promise<Acceptor>>()
  readonly #waiting = new Map<string, Set<() => void>>()
  /** Listeners that connections have asked for, the latest last. */
  readonly #wanted = new Set<string>()
  #snapshot: ProxySnapshot = EMPTY_SNAPSHOT
  #table = new ListenerTable(new Map())
  #isDraining = false

  constructor(options: ProxyRuntimeOptions) {
    this.#options = options
    const { clock, random, log, transport, mesh, place } = options
    this.tap = new Tap(clock)
    this.#wheel = new TimerWheel(clock)
    this.#accessLogs = new AccessLogs(clock, options.service, log, options.logFile)
    const secret = (name: string): ReturnType<ProxySnapshot['secrets']['get']> => this.#snapshot.secrets.get(name)
    this.#upstreamTls = new UpstreamTlsMaker(mesh, secret)
    this.#downstreamTls = new DownstreamTlsMaker(mesh, secret)
    const open = (endpoint: UpstreamOptions): UpstreamEndpoint => openEndpoint(endpoint, { clock, wheel: this.#wheel, transport })
    this.#filters = createFilterLayers({
      clusters: () => this.clusters,
      wheel: this.#wheel,
      clock,
      random,
      log,
      openEndpoint: open,
      dial: (target) => transport.dial(target),
      service: options.service,
    })
    this.clusters = new ClusterManager(
      {
        clock,
        random,
        place,
        openEndpoint: open,
        probe: this.#filters.probe,
        clientTls: (cluster, endpoint, protocol) => this.#upstreamTls.for(cluster, endpoint, protocol),
        resolveHost,
      },
      this.metrics,
    )
    this.#chains = new Chains(this.#snapshot, {
      stack: {
        clusters: this.clusters,
        metrics: this.metrics,
        clock,
        random,
        makeId: randomUUID,
        identity: options.identity,
        ...this.#filters,
      },
      accessLogs: this.#accessLogs,
      around: (listener) => this.tap.layer(listener.direction),
      log,
    })
    const tcp = new TcpCarrier({ clusters: this.clusters, transport, clock, wheel: this.#wheel, random, log })
    this.#refusals = new Refusals(this.metrics, clock, log)
    this.#gatewayPorts = new GatewayPorts({
      listen: (key, target, name) => this.#listen(key, target, (accepted) => void acceptConnection(accepted, name, undefined, this.#deps)),
      close: (key) => this.#close(key),
      clock,
      log,
    })
    const { onInbound } = options
    const refusals = this.#refusals
    this.#deps = {
      chains: this.#chains,
      tls: this.#downstreamTls,
      tcp,
      clock,
      wheel: this.#wheel,
      refusals,
      ...(onInbound ? { onInbound } : {}),
    }
  }

  get snapshot(): ProxySnapshot {
    return this.#snapshot
  }

  /** Connections that are carried now. */
  get connections(): number {
    let count = 0
    for (const { connections } of this.#chains.all) count += connections.size
    return count
  }

  /** Connections of HTTP that came in: each ends once it is drained and its last answer is out. */
  get inboundHttpConnections(): number {
    let count = 0
    for (const { source, connections } of this.#chains.all) {
      if (source.listener.direction === 'outbound') continue
      for (const { downstream } of connections) if (downstream.protocol !== 'tcp') count++
    }
    return count
  }

  /** Takes a whole new configuration. Never half of one: what cannot be executed keeps its last good form. */
  update(snapshot: ProxySnapshot): void {
    const before = this.#snapshot
    this.#snapshot = snapshot
    for (const [name, assignment] of snapshot.endpoints)
      if (before.endpoints.get(name) !== assignment) this.#take(name, () => this.clusters.setAssignment(assignment))
    for (const [name, cluster] of snapshot.clusters)
      if (before.clusters.get(name) !== cluster) this.#take(name, () => this.clusters.setCluster(cluster))
    if (before.secrets !== snapshot.secrets) {
      this.#upstreamTls.forget()
      this.#downstreamTls.forget()
    }
    if (before.listeners !== snapshot.listeners) this.#table = new ListenerTable(snapshot.listeners)
    this.#chains.update(snapshot)
    for (const name of before.clusters.keys()) if (!snapshot.clusters.has(name)) this.clusters.removeCluster(name)
    for (const name of before.endpoints.keys()) if (!snapshot.endpoints.has(name)) this.clusters.removeAssignment(name)
    for (const listeners of this.#waiting.values()) for (const look of listeners) look()
    if (snapshot.settings?.draining && !this.#isDraining) this.drainInbound()
  }

  /** Takes what is intercepted: everything that the application dials, and everything that comes for it. @throws Error when a port is in use */
  async listenIntercepted(host = '::'): Promise<void> {
    await this.#listen(
      'outbound',
      { host, port: OUTBOUND_PORT },
      (accepted) => void this.#outbound(accepted, this.#destinationOf(accepted)),
    )
    await this.#listen('inbound', { host, port: INBOUND_PORT }, (accepted) => this.#inbound(accepted))
  }

  /** Takes connections of the mesh by server name. */
  async listenMesh(host: string): Promise<void> {
    await this.#listen('mesh', { host, port: MESH_PORT }, (accepted) => void this.#mesh(accepted))
  }

  /** Serves a service at an address of this pod's own. */
  async listenAlias(alias: SocketAddress, destination: SocketAddress): Promise<void> {
    await this.#listen(
      `alias ${alias.address} ${alias.port}`,
      { host: alias.address, port: alias.port },
      (accepted) => void this.#outbound(accepted, destination),
    )
  }

  async closeAlias(alias: SocketAddress): Promise<void> {
    await this.#close(`alias ${alias.address} ${alias.port}`)
  }

  /** Binds the addresses of the gateway's listeners, and leaves those that are gone. What cannot be bound is tried again by itself. */
  async bindGateways(): Promise<void> {
    await this.#gatewayPorts.bind(this.#table.gateways)
  }

  /** What of the gateway's listeners is not bound, and why; undefined: nothing. */
  get unbound(): string | undefined {
    return this.#gatewayPorts.problem
  }

  /** The application is going: what comes in is finished, and nothing new is taken on kept connections. What goes out is carried on. May be called again. */
  drainInbound(): void {
    this.#isDraining = true
    for (const { source, connections } of this.#chains.all) {
      if (source.listener.direction !== 'outbound') for (const connection of connections) connection.drain()
    }
  }

  /** Takes nothing new, lets what runs end. */
  async stopListening(): Promise<void> {
    this.#gatewayPorts.stop()
    await Promise.all([...this.#acceptors.keys()].map((key) => this.#close(key)))
    for (const { connections } of this.#chains.all) for (const connection of connections) connection.drain()
  }

  /** Ends everything at once; resolves when what was to be told of it (spans) has been sent, or was not taken. */
  async close(): Promise<void> {
    this.#gatewayPorts.stop()
    for (const { connections } of this.#chains.all) for (const { downstream } of connections) downstream.destroy()
    this.clusters.close()
    this.#accessLogs.close()
    await this.#filters.close()
  }

  /** One part that cannot be executed does not keep the others from being. */
  #take(name: string, change: () => void): void {
    try {
      change()
    } catch (error) {
      this.#options.log.error('a changed cluster cannot be executed', { cluster: name, error: messageOf(error) })
    }
  }

  #inbound(accepted: Accepted): void {
    const original = this.#destinationOf(accepted)
    const listener = original && this.#table.inbound(original.port)
    if (listener) return void acceptConnection(accepted, listener.name, original, this.#deps)
    accepted.destroy()
    const why = original ? `nothing is known of port ${original.port}` : 'nobody has redirected it'
    this.#refusals.note('inbound', new RefusedConnection('noListener', why), accepted.remote.address)
  }

  async #mesh(accepted: Accepted): Promise<void> {
    try {
      const { hello } = await accepted.peek((bytes) => readClientHello(bytes) !== 'more', PEEK_MS)
      const port = portOfServerName(hello?.serverName ?? '')
      const listener = port === undefined ? undefined : this.#table.inbound(port)
      if (!listener) throw new RefusedConnection('noListener', `no port of this pod is meant by "${hello?.serverName ?? ''}"`)
      await acceptConnection(accepted, listener.name, { address: accepted.local.address, port: port as number }, this.#deps)
    } catch (error) {
      accepted.destroy()
      this.#refusals.note('mesh', error, accepted.remote.address)
    }
  }

  async #outbound(accepted: Accepted, original: SocketAddress | undefined): Promise<void> {
    if (!original) {
      accepted.destroy()
      return this.#refusals.note('outbound', new RefusedConnection('noListener', 'nobody has redirected it'), accepted.remote.address)
    }
    const destination = { address: plainAddress(original.address), port: original.port }
    const listener =
      this.#table.outbound(destination.address, destination.port) ?? (await this.#demand(destination)) ?? this.#table.passthrough
    if (listener) return void acceptConnection(accepted, listener.name, destination, this.#deps)
    accepted.destroy()
    const why = `nothing outside of the mesh may be called: ${destination.address}:${destination.port}`
    this.#refusals.note('outbound', new RefusedConnection('noListener', why), accepted.remote.address)
  }

  /** Asks for what is behind an address; undefined: it is no service, or nobody says so in time. */
  #demand({ address, port }: SocketAddress): Promise<Listener | undefined> {
    const name = outboundName(address, port)
    const config = this.#options.config()
    this.#want(name, config)
    if (config.isMissing('listener', name) || !config.status.connected) return Promise.resolve(this.#snapshot.listeners.get(name))
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(name) ?? new Set()
      this.#waiting.set(name, waiting)
      const finish = (): void => {
        timer.cancel()
        waiting.delete(look)
        if (waiting.size === 0) this.#waiting.delete(name)
        resolve(this.#snapshot.listeners.get(name))
      }
      const timer = this.#options.clock.after(DEMAND_MS, finish)
      const look = (): void => {
        if (this.#snapshot.listeners.has(name) || config.isMissing('listener', name)) finish()
      }
      waiting.add(look)
      look()
    })
  }

  /** Asks once for each address, and not for ever: who dials addresses by the thousand is not to fill the control plane's memory, nor ours. */
  #want(name: string, config: ConfigSource): void {
    if (this.#wanted.delete(name)) return void this.#wanted.add(name)
    this.#wanted.add(name)
    config.want('listener', name)
    if (this.#wanted.size <= MAX_WANTED) return
    // services are kept, and so are those that a connection waits for
    for (const other of this.#wanted) {
      if (this.#snapshot.listeners.has(other) || this.#waiting.has(other) || other === name) continue
      this.#wanted.delete(other)
      return config.release('listener', other)
    }
  }

  /** Somebody has heard from the control plane, though the configuration may be the same. */
  heard(): void {
    for (const listeners of this.#waiting.values()) for (const look of listeners) look()
  }

  /** What was not redirected was meant for this proxy itself: sent on as it is, it would come here again and again. */
  #destinationOf(accepted: Accepted): SocketAddress | undefined {
    const { originalDestination: find = kernelDestination } = this.#options
    const found = find(accepted)
    const isOwn = found?.port === accepted.local.port && plainAddress(found.address) === plainAddress(accepted.local.address)
    return isOwn ? undefined : found
  }

  async #listen(
    key: string,
    target: { readonly host: string; readonly port: number },
    accept: (accepted: Accepted) => void,
  ): Promise<void> {
    if (this.#acceptors.has(key)) return
    const listening = this.#options.transport.listen(target, accept)
    this.#acceptors.set(key, listening)
    try {
      await listening
    } catch (error) {
      this.#acceptors.delete(key)
      throw error
    }
  }

  async #close(key: string): Promise<void> {
    const acceptor = this.#acceptors.get(key)
    this.#acceptors.delete(key)
    // connections that are open go on: their end is waited for by nobody
    void (await acceptor?.catch(() => undefined))?.close()
  }
}

const kernelDestination = ({ fd, local }: Accepted): SocketAddress | undefined => originalDestination(fd, local.address.includes(':'))

/** By the resolver of the machine: as the application would. Its answers carry no time to live. */
async function resolveHost(host: string): Promise<{ readonly addresses: readonly string[]; readonly ttlMs: number }> {
  const found = await lookup(host, { all: true })
  return { addresses: found.map(({ address }) => address), ttlMs: 30_000 }
}
