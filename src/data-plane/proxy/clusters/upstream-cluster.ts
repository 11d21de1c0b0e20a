import type { Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { Cluster, Endpoint, SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { ClientTls, UpstreamEndpoint, UpstreamOptions } from '../contract.ts'
import type { ClusterStats } from '../telemetry/stats.ts'
import { Circuit } from './circuit.ts'
import { DnsDiscovery, type ResolveHost } from './dns-discovery.ts'
import { HealthChecker, type Probe } from './health-checker.ts'
import { makeHostSets, type HostSets, type Place } from './host-sets.ts'
import { Host, hostKey, type HostProtocol } from './host.ts'
import { eject, mayEject, sweep, takeOutcome, type EjectionCause, type Outcome } from './outlier-detector.ts'

/** What clusters need of the world. */
export interface ClusterDeps {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: Random
  readonly place: Place
  readonly openEndpoint: (options: UpstreamOptions) => UpstreamEndpoint
  /** TLS to an endpoint; undefined: none. `alpn` of what is spoken inside. */
  readonly clientTls: (cluster: Cluster, endpoint: Endpoint, protocol: HostProtocol | 'tcp') => (() => ClientTls) | undefined
  readonly resolveHost: ResolveHost
  /** Absent: endpoints are not checked actively. */
  readonly probe?: Probe
}

export interface PickRequest {
  readonly hash?: number | undefined
  /** Name of the endpoint that the client's session sticks to. */
  readonly session?: string | undefined
  /** Tried already; others are preferred. */
  readonly tried?: readonly Host[] | undefined
  /** How often another one is looked for. Default 5. */
  readonly attempts?: number | undefined
  /** Where an intercepted connection was going. */
  readonly original?: SocketAddress | undefined
}

const ANY: PickRequest = {}
/** Endpoints of an original-destination cluster kept at the same time. */
const MAX_ORIGINAL = 1_024
const HTTP1_IDLE = 60_000
const HTTP2_IDLE = 3_600_000

/** A cluster at work: its endpoints, their health, their connections. */
export class UpstreamCluster {
  readonly circuit: Circuit
  readonly stats: ClusterStats
  #config: Cluster
  readonly #deps: ClusterDeps
  readonly #hosts = new Map<string, Host>()
  #sets: HostSets
  #dns: DnsDiscovery | undefined
  #checkers: HealthChecker[] = []
  #sweepTimer: Timer | undefined
  #rebuild: Timer | undefined
  #ejected = 0
  #hadTraffic = false
  #closed = false

  constructor(config: Cluster, deps: ClusterDeps, stats: ClusterStats) {
    this.#config = config
    this.#deps = deps
    this.stats = stats
    this.circuit = new Circuit(config.limits, stats)
    this.#sets = makeHostSets(config, [], deps.place, deps.random)
    this.#discover()
    this.#watch()
  }

  get config(): Cluster {
    return this.#config
  }

  /** All of them, usable or not: for the admin interface and explanations. */
  get hosts(): readonly Host[] {
    return [...this.#hosts.values()]
  }

  /** Takes new settings in. Connections stay unless what is on the wire has changed. */
  configure(config: Cluster): void {
    const before = this.#config
    this.#config = config
    this.circuit.limits = config.limits
    if (wireKey(before) !== wireKey(config)) for (const host of this.#hosts.values()) closeUpstreams(host)
    if (!same(before.discovery, config.discovery)) this.#discover()
    if (!same([before.outlierDetection, before.healthChecks], [config.outlierDetection, config.healthChecks])) this.#watch()
    this.#build()
  }

  /** Replaces the endpoints. Those that stay keep connections and what is known of them. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    const nowMs = this.#deps.clock.monotonic()
    const keys = new Set<string>()
    for (const endpoint of endpoints) {
      const key = hostKey(endpoint)
      keys.add(key)
      const host = this.#hosts.get(key)
      if (!host) this.#hosts.set(key, new Host(endpoint, nowMs))
      else {
        if (host.endpoint.state !== 'ready' && endpoint.state === 'ready') host.warmFromMs = nowMs
        host.endpoint = endpoint
      }
    }
    for (const [key, host] of this.#hosts) if (!keys.has(key)) this.#forget(key, host)
    this.stats.table.inc(this.stats.updates)
    this.#build()
  }

  /** An endpoint for a request; undefined: there is none. */
  pick(wanted: PickRequest = ANY): Host | undefined {
    this.#hadTraffic = true
    if (this.#config.discovery.type === 'originalDestination') return this.#original(wanted.original)
    if (wanted.session !== undefined) {
      for (const host of this.#hosts.values()) if (host.name === wanted.session && host.usable) return host
    }
    // reading the clock costs more than most picks
    const nowMs = this.#config.loadBalancer.slowStartMs ? this.#deps.clock.monotonic() : 0
    const attempts = wanted.attempts ?? 5
    let fallback: Host | undefined
    for (let step = 0; step <= attempts; step++) {
      const { host, panic } = this.#sets.choose(wanted.hash, nowMs, step)
      if (!host) {
        this.stats.table.inc(this.stats.noHost)
        return undefined
      }
      if (panic) this.stats.table.inc(this.stats.panic)
      // the sets are made again a moment after a change
      if (panic ? !host.present : !host.usable) continue
      if (!wanted.tried?.includes(host)) return host
      fallback = host
    }
    if (fallback) return fallback
    const found = this.#firstUsable()
    if (!found) this.stats.table.inc(this.stats.noHost)
    return found
  }

  /** The connections of an endpoint. @param protocol of the client, for clusters that mirror it */
  connect(host: Host, protocol: 'http1' | 'http2' = 'http1'): UpstreamEndpoint {
    const wire = this.wireOf(host, protocol)
    const open = host.upstreams.get(wire)
    if (open) return open
    const opened = this.#deps.openEndpoint(this.optionsFor(host, wire))
    host.upstreams.set(wire, opened)
    return opened
  }

  /** How an endpoint is reached; TCP proxies connect by it themselves. */
  optionsFor(host: Host, protocol: HostProtocol | 'tcp'): UpstreamOptions {
    const { connectTimeoutMs = 5_000, maxConnectionDurationMs, limits } = this.#config
    const { idleTimeoutMs = protocol === 'http2' ? HTTP2_IDLE : HTTP1_IDLE } = this.#config
    const { address, meshPort } = host.endpoint
    const tls = this.#deps.clientTls(this.#config, host.endpoint, protocol)
    return {
      address: tls && meshPort !== undefined && this.#config.tls?.mode === 'mesh' ? { address: address.address, port: meshPort } : address,
      protocol: protocol === 'tcp' ? 'http1' : protocol,
      connectTimeoutMs,
      idleTimeoutMs,
      admit: this.circuit,
      ...(tls ? { tls } : {}),
      ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDurationMs }),
      ...(limits.maxRequestsPerConnection === undefined ? {} : { maxRequestsPerConnection: limits.maxRequestsPerConnection }),
    }
  }

  /** How a request to an endpoint ended: a status, or `local` where no response came. */
  report(host: Host, outcome: Outcome): void {
    const { outlierDetection } = this.#config
    if (!outlierDetection || host.outlier.ejected) return
    const cause = takeOutcome(host.outlier, outcome, outlierDetection)
    if (cause) this.#eject(host, cause)
  }

  close(): void {
    this.#closed = true
    this.#dns?.close()
    for (const checker of this.#checkers) checker.close()
    this.#sweepTimer?.cancel()
    this.#rebuild?.cancel()
    for (const [key, host] of this.#hosts) this.#forget(key, host)
    this.#build()
  }

  /** What is spoken with an endpoint. @param protocol of the client, for clusters that mirror it */
  wireOf(host: Host, protocol: 'http1' | 'http2'): HostProtocol {
    const { protocol: configured, tls } = this.#config
    // what a port speaks that nobody has declared, the sidecar before it learns from the connection
    if (configured === 'mirror') return protocol
    // between two sidecars: whatever the applications speak
    if (tls?.mode === 'mesh' && host.endpoint.identity !== undefined) return 'http2'
    if (configured === 'http2') return 'http2'
    return tls?.mode === 'tls' && tls.alpn?.includes('h2') ? 'alpn' : 'http1'
  }

  #firstUsable(): Host | undefined {
    for (const host of this.#hosts.values()) if (host.usable) return host
    return undefined
  }

  #original(address: SocketAddress | undefined): Host | undefined {
    if (!address) return undefined
    const key = hostKey({ address, state: 'ready' })
    const known = this.#hosts.get(key)
    if (known) return known
    if (this.#hosts.size >= MAX_ORIGINAL) {
      // the oldest one that does nothing makes room
      const idle = [...this.#hosts].find(([, { active }]) => active === 0)
      if (!idle) return undefined
      this.#forget(...idle)
    }
    const host = new Host(this.#originalEndpoint(address), this.#deps.clock.monotonic())
    this.#hosts.set(key, host)
    return host
  }

  /** Of a cluster that says who is there: its TLS is that of the mesh. */
  #originalEndpoint(address: SocketAddress): Endpoint {
    const { tls, discovery } = this.#config
    const identity = tls?.mode === 'mesh' ? tls.identities[0] : undefined
    const meshPort = discovery.type === 'originalDestination' ? discovery.meshPort : undefined
    return {
      address,
      state: 'ready',
      ...(identity === undefined ? {} : { identity }),
      ...(meshPort === undefined ? {} : { meshPort }),
    }
  }

  #discover(): void {
    this.#dns?.close()
    this.#dns = undefined
    const { discovery } = this.#config
    if (discovery.type === 'static') this.setEndpoints(discovery.addresses.map((address) => ({ address, state: 'ready' })))
    else if (discovery.type === 'dns') {
      const { clock, resolveHost: resolve } = this.#deps
      this.#dns = new DnsDiscovery({
        hosts: discovery.hosts,
        resolve,
        clock,
        onChange: (endpoints) => this.setEndpoints(endpoints),
        onFailure: () => this.stats.table.inc(this.stats.updateFailures),
      })
    } else this.setEndpoints([])
  }

  /** Starts active and passive health again. */
  #watch(): void {
    for (const checker of this.#checkers) checker.close()
    this.#sweepTimer?.cancel()
    const { outlierDetection, healthChecks } = this.#config
    const { probe, clock, random } = this.#deps
    const { table, checkAttempt, checkSuccess, checkFailure } = this.stats
    this.#checkers = !probe
      ? []
      : healthChecks.map(
          (check) =>
            new HealthChecker({
              check,
              clock,
              random,
              probe: (host, one, done) => probe(host, one, done, this),
              hadTraffic: () => this.#hadTraffic,
              onResult: (host, ok, changed) => {
                table.inc(checkAttempt)
                table.inc(ok ? checkSuccess : checkFailure)
                if (changed && ok) host.warmFromMs = clock.monotonic()
                if (changed) this.#buildSoon()
              },
            }),
        )
    for (const host of this.#hosts.values()) {
      if (this.#checkers.length === 0) host.health.reset()
      if (!outlierDetection) host.outlier.ejected = false
    }
    const hosts = new Set(this.#hosts.values())
    for (const checker of this.#checkers) checker.setHosts(hosts)
    if (outlierDetection) this.#sweepTimer = clock.after(outlierDetection.intervalMs, () => this.#sweep())
    this.#ejected = this.hosts.filter(({ outlier }) => outlier.ejected).length
  }

  #sweep(): void {
    const config = this.#config.outlierDetection
    if (!config || this.#closed) return
    const nowMs = this.#deps.clock.monotonic()
    const { returned, suspects } = sweep(this.hosts, nowMs, config)
    this.#ejected -= returned.length
    for (const host of returned) host.warmFromMs = nowMs
    for (const [host, cause] of suspects) this.#eject(host, cause)
    if (returned.length > 0) this.#buildSoon()
    this.stats.table.set(this.stats.ejectionsActive, this.#ejected)
    this.#sweepTimer = this.#deps.clock.after(config.intervalMs, () => this.#sweep())
  }

  #eject(host: Host, cause: EjectionCause): void {
    const config = this.#config.outlierDetection
    const { table, ejections, ejectionsActive, ejectionsOverflow } = this.stats
    if (!config || host.removed) return
    if (!mayEject(this.#ejected, this.#hosts.size, config)) return table.inc(ejectionsOverflow)
    eject(host.outlier, this.#deps.clock.monotonic(), config)
    table.inc(ejections)
    table.inc(this.stats[CAUSE_SLOT[cause]])
    table.set(ejectionsActive, ++this.#ejected)
    this.#buildSoon()
  }

  #forget(key: string, host: Host): void {
    this.#hosts.delete(key)
    host.removed = true
    if (host.outlier.ejected) this.stats.table.set(this.stats.ejectionsActive, --this.#ejected)
    closeUpstreams(host)
  }

  /** Tables of hashes take long to make: not while a request waits. */
  #buildSoon(): void {
    this.#rebuild ??= this.#deps.clock.after(0, () => this.#build())
  }

  #build(): void {
    this.#rebuild?.cancel()
    this.#rebuild = undefined
    this.#sets = makeHostSets(this.#config, this.hosts, this.#deps.place, this.#deps.random)
    this.stats.table.set(this.stats.members, this.#hosts.size)
    this.stats.table.set(this.stats.healthy, this.#sets.healthy)
    const hosts = new Set(this.#hosts.values())
    if (!this.#closed) for (const checker of this.#checkers) checker.setHosts(hosts)
  }
}

const CAUSE_SLOT = {
  consecutive5xx: 'ejectionsConsecutive5xx',
  gateway: 'ejectionsGateway',
  local: 'ejectionsLocal',
  successRate: 'ejectionsSuccessRate',
  failurePercentage: 'ejectionsFailurePercentage',
} as const

function closeUpstreams(host: Host): void {
  for (const upstream of host.upstreams.values()) upstream.drain()
  host.upstreams.clear()
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Of what open connections were made with. */
const wireKey = ({ protocol, tls, connectTimeoutMs, idleTimeoutMs, maxConnectionDurationMs, limits }: Cluster): string =>
  JSON.stringify([protocol, tls, connectTimeoutMs, idleTimeoutMs, maxConnectionDurationMs, limits.maxRequestsPerConnection])
