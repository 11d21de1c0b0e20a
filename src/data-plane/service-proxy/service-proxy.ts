import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { EndpointSlice, Service } from '../../api/generated/types.ts'
import { Balancer } from './balancer.ts'
import { planServicePorts, type ServicePort } from './plan-service-ports.ts'
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
  /** Where node ports are opened. */
  readonly nodeAddresses: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

interface Open {
  readonly listener: TcpListener | UdpListener
  readonly balancer: Balancer
}

/** A port that could not be opened (in use) is tried again after this time. */
const RETRY_MS = 2_000

/** The user-space service proxy: one listening socket per service port, kept equal to the plan. Level-based. */
export class ServiceProxy {
  readonly #options: ServiceProxyOptions
  readonly #open = new Map<string, Open>()
  readonly #failed = new Map<string, string>()
  #dirty = true
  #wake: (() => void) | undefined

  constructor(options: ServiceProxyOptions) {
    this.#options = options
  }

  /** Serves until the signal aborts, then closes every socket. */
  async run(signal: AbortSignal): Promise<void> {
    const changed = (): void => {
      this.#dirty = true
      this.#wake?.()
    }
    const stops = [this.#options.services.onChange(changed), this.#options.endpointSlices.onChange(changed)]
    signal.addEventListener('abort', changed)
    const sync = this.#options.metrics.histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds').with()
    while (!signal.aborted) {
      this.#dirty = false
      const begin = this.#options.clock.monotonic()
      await this.#sync()
      sync.observe((this.#options.clock.monotonic() - begin) / 1000)
      if (this.#dirty || signal.aborted) continue
      const woken = new Promise<void>((resolve) => (this.#wake = resolve))
      await (this.#failed.size > 0 ? Promise.race([woken, sleep(this.#options.clock, RETRY_MS, signal).catch(() => {})]) : woken)
    }
    for (const stop of stops) stop()
    signal.removeEventListener('abort', changed)
    for (const { listener } of this.#open.values()) listener.destroy()
    this.#open.clear()
  }

  async #sync(): Promise<void> {
    const plan = planServicePorts(this.#options.services.list(), this.#options.endpointSlices.list(), this.#options.nodeAddresses)
    for (const [key, open] of this.#open) {
      if (plan.has(key)) continue
      open.listener.close()
      this.#open.delete(key)
    }
    for (const key of this.#failed.keys()) if (!plan.has(key)) this.#failed.delete(key)
    for (const port of plan.values()) {
      const open = this.#open.get(port.key) ?? (await this.#listen(port))
      open?.balancer.update(port.backends, port.affinityMs)
    }
  }

  async #listen(port: ServicePort): Promise<Open | undefined> {
    const balancer = new Balancer(this.#options.clock)
    balancer.update(port.backends, port.affinityMs)
    const listener = port.protocol === 'TCP' ? new TcpListener(balancer) : new UdpListener(balancer, this.#options.clock)
    try {
      await listener.listen(port.host, port.port)
    } catch (error) {
      const message = messageOf(error)
      if (this.#failed.get(port.key) !== message)
        this.#options.log.warn('service port cannot be opened', { service: port.name, address: port.key, error: message })
      this.#failed.set(port.key, message)
      return undefined
    }
    this.#failed.delete(port.key)
    const open = { listener, balancer }
    this.#open.set(port.key, open)
    return open
  }
}
