import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { EndpointSlice, Service } from '../../api/generated/types.ts'
import { Balancer } from './balancer.ts'
import { planServicePorts, type ProxyNode, type ServicePort } from './plan-service-ports.ts'
import { TcpListener } from './tcp-listener.ts'
import { UdpListener } from './udp-listener.ts'

/** A list that tells when it changes; LastGoodList of the node is one. */
export interface ChangingList<T> {
  list(): readonly T[]
  onChange(fn: () => void): () => void
}

export interface ServiceProxyOptions {
  readonly services: ChangingList<Service>
  readonly endpointSlices: ChangingList<EndpointSlice>
  readonly node: ProxyNode
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Tells whoever looks at the service what is wrong with it; called once for each port and cause. */
  readonly warn?: (service: Service, reason: 'PortNotOpened', message: string) => void
}

interface Open {
  readonly listener: TcpListener | UdpListener
  readonly balancer: Balancer
}

/** A port that could not be opened (in use) is tried again after this time, then after twice as long, and so on. */
const RETRY_MS = 2_000
const MAX_RETRY_MS = 60_000
/** Below it, a port needs a privilege on Linux by default. */
const FIRST_FREE_PORT = 1024
const PRIVILEGE = 'sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80 (or lower), or run the node agent as root'

/** The user-space service proxy: one listening socket per service port, kept equal to the plan. Level-based. */
export class ServiceProxy {
  readonly #options: ServiceProxyOptions
  readonly #open = new Map<string, Open>()
  /** Of services that are gone: closed for newcomers, serving on for who is connected. */
  readonly #draining = new Set<TcpListener | UdpListener>()
  readonly #failed = new Map<string, string>()
  #retryMs = RETRY_MS
  #toldOfPrivilege = false
  #dirty = true
  #wake: (() => void) | undefined

  constructor(options: ServiceProxyOptions) {
    this.#options = options
  }

  /** Serves until the signal aborts, then closes every socket. */
  async run(signal: AbortSignal): Promise<void> {
    const { services, endpointSlices, clock, metrics } = this.#options
    const changed = (): void => {
      this.#dirty = true
      this.#wake?.()
    }
    const stops = [services.onChange(changed), endpointSlices.onChange(changed)]
    signal.addEventListener('abort', changed)
    const sync = metrics.histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds').with()
    while (!signal.aborted) {
      this.#dirty = false
      const begin = clock.monotonic()
      await this.#sync()
      sync.observe((clock.monotonic() - begin) / 1000)
      if (this.#dirty || signal.aborted) continue
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      await (this.#failed.size > 0 ? this.#waitToRetry(woken) : woken)
    }
    for (const stop of stops) stop()
    signal.removeEventListener('abort', changed)
    for (const { listener } of this.#open.values()) listener.destroy()
    for (const listener of this.#draining) listener.destroy()
    this.#open.clear()
  }

  async #waitToRetry(woken: Promise<void>): Promise<void> {
    const done = new AbortController()
    const retry = sleep(this.#options.clock, this.#retryMs, done.signal).then(
      () => (this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS)),
      () => {},
    )
    await Promise.race([woken, retry])
    done.abort()
  }

  async #sync(): Promise<void> {
    const plan = planServicePorts(this.#options.services.list(), this.#options.endpointSlices.list(), this.#options.node)
    for (const [key, { listener }] of this.#open) {
      if (plan.has(key)) continue
      this.#open.delete(key)
      this.#draining.add(listener)
      listener.close(() => this.#draining.delete(listener))
    }
    for (const key of this.#failed.keys()) if (!plan.has(key)) this.#failed.delete(key)
    for (const port of plan.values()) {
      const open = this.#open.get(port.key) ?? (await this.#listen(port))
      open?.balancer.update(port.backends, port.affinityMs)
      if (open?.listener instanceof UdpListener) open.listener.backendsChanged()
    }
    if (this.#failed.size === 0) this.#retryMs = RETRY_MS
  }

  async #listen(port: ServicePort): Promise<Open | undefined> {
    const balancer = new Balancer(this.#options.clock)
    balancer.update(port.backends, port.affinityMs)
    const listener = port.protocol === 'TCP' ? new TcpListener(balancer) : new UdpListener(balancer, this.#options.clock)
    try {
      await listener.listen(port.host, port.port)
    } catch (error) {
      this.#failedToListen(port, error)
      return undefined
    }
    this.#failed.delete(port.key)
    const open = { listener, balancer }
    this.#open.set(port.key, open)
    return open
  }

  #failedToListen(port: ServicePort, error: unknown): void {
    const message = messageOf(error)
    const known = this.#failed.get(port.key)
    this.#failed.set(port.key, message)
    if (known === message) return
    const { log, node, warn } = this.#options
    const isReserved = (error as NodeJS.ErrnoException).code === 'EACCES' && port.port < FIRST_FREE_PORT
    const fix = isReserved ? PRIVILEGE : 'end what else uses it, or give the service another port'
    warn?.(port.service, 'PortNotOpened', `node ${node.name} cannot open ${port.key}: ${message}; ${fix}; it is tried again by itself`)
    if (!isReserved) {
      return log.warn('service port cannot be opened, will be tried again', { service: port.name, address: port.key, error: message })
    }
    if (this.#toldOfPrivilege) return log.debug('service port needs a privilege', { service: port.name, address: port.key })
    this.#toldOfPrivilege = true
    log.warn('services on ports below 1024 are not reachable: this machine reserves them for root', {
      service: port.name,
      address: port.key,
      fix: `${PRIVILEGE}; it is tried again by itself`,
    })
  }
}
