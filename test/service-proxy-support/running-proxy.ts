import type { EndpointSlice, Service } from '../../src/api/generated/types.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics, type Metrics } from '../../src/base/metrics.ts'
import type { Nft } from '../../src/data-plane/forwarding/contract.ts'
import { openNft } from '../../src/data-plane/forwarding/nft/index.ts'
import { openConntrackCleaner, type ConntrackCleaner } from '../../src/data-plane/forwarding/conntrack/index.ts'
import { conntrackFlows, KernelServiceProxy } from '../../src/data-plane/service-proxy/kernel/index.ts'
import { poll } from '../support/poll.ts'
import { Changing, lastRevision } from './objects.ts'
import type { ServiceLab } from './service-lab.ts'

function deaf(nft: Nft): Nft {
  return {
    run: (text) => nft.run(text),
    apply: (changes) => nft.apply(changes),
    list: (...what) => nft.list(...what),
    close: () => nft.close(),
    foreignChanges: (_, signal) => nft.foreignChanges([], signal),
  }
}

/** A kernel service proxy for the lab's node, and the lists it follows. */
export class RunningProxy {
  readonly services: Changing<Service>
  readonly slices: Changing<EndpointSlice>
  readonly metrics: Metrics = createMetrics()
  readonly reports: string[] = []
  readonly proxy: KernelServiceProxy
  readonly #abort = new AbortController()
  readonly #done: Promise<void>
  readonly #nft: Nft
  readonly #conntrack: ConntrackCleaner

  constructor(
    lab: ServiceLab,
    options: {
      readonly services?: Changing<Service>
      readonly slices?: Changing<EndpointSlice>
      readonly statePath?: string
      /** Does not hear of changes by others. */
      readonly isDeaf?: boolean
    } = {},
  ) {
    this.services = options.services ?? new Changing()
    this.slices = options.slices ?? new Changing()
    this.#nft = openNft({ namespace: lab.node.path })
    this.#conntrack = openConntrackCleaner({ namespace: lab.node.path })
    this.proxy = new KernelServiceProxy({
      services: this.services,
      endpointSlices: this.slices,
      // health-check servers would be opened in the network of the test itself
      node: lab.serviceNode,
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      metrics: this.metrics,
      nft: options.isDeaf ? deaf(this.#nft) : this.#nft,
      report: (reason, message) => this.reports.push(`${reason}: ${message}`),
      ...(options.statePath === undefined ? {} : { statePath: options.statePath }),
      flows: conntrackFlows(this.#conntrack),
    })
    this.#done = this.proxy.run(this.#abort.signal)
  }

  /** Puts objects in place of all others and waits until the kernel has them. */
  async have(services: readonly Service[], slices: readonly (readonly EndpointSlice[])[]): Promise<void> {
    this.slices.set(slices.flat())
    this.services.set(services)
    await this.synced()
  }

  async synced(): Promise<void> {
    const wanted = lastRevision()
    await poll('the kernel has the services', () => (this.proxy.appliedRevision >= wanted ? true : undefined), { everyMs: 5 })
  }

  metric(name: string): number {
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(this.metrics.render())?.[1] ?? 0)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#done
    this.#nft.close()
    this.#conntrack.close()
  }
}
