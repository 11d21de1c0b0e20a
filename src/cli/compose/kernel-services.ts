import { join } from 'node:path'
import type { EndpointSlice, Node, Service } from '../../api/generated/types.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import { sleep, type Clock } from '../../base/clock.ts'
import { parseIp } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { openConntrackCleaner, type ConntrackCleaner } from '../../data-plane/forwarding/conntrack/index.ts'
import type { Nft } from '../../data-plane/forwarding/contract.ts'
import type { PodRoutes } from '../../data-plane/node/network/index.ts'
import { KernelServiceProxy, serviceRangeRoutes, type FlowCleaner, type StaleFlow } from '../../data-plane/service-proxy/kernel/index.ts'
import type { ChangingList } from '../../data-plane/service-proxy/index.ts'
import type { ServiceNode, ServiceTable } from '../../policy/packet/services/index.ts'
import type { Source } from './packet-sources.ts'
import type { ServiceCIDR } from '../../api/generated/types.ts'

export interface KernelServicesOptions {
  /** Of the node. */
  readonly name: string
  readonly addresses: readonly string[]
  /** The link with the node's primary address. */
  readonly device: string
  readonly stateDir: string
  readonly nft: Nft
  readonly routes: PodRoutes
  readonly services: ChangingList<Service>
  readonly endpointSlices: ChangingList<EndpointSlice>
  readonly nodes: ChangingList<Node>
  readonly serviceCIDRs: Source<ServiceCIDR>
  /** Resolves when services, slices and nodes are whole. */
  readonly known: Promise<unknown>
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  readonly report: (reason: string, message: string) => void
}

/** Facts of a node are looked at so often; they hardly ever change. */
const LOOK_AGAIN_MS = 2_000
const ZONE = 'topology.kubernetes.io/zone'

/** The service proxy of a node in kernel mode, made anew when a fact it is built on changes: the zone of the node, its pod ranges, the service ranges. */
export class KernelServices {
  readonly #options: KernelServicesOptions
  #proxy: KernelServiceProxy | undefined

  constructor(options: KernelServicesOptions) {
    this.#options = options
  }

  /** As compiled last; undefined before the first. */
  table(): ServiceTable | undefined {
    return this.#proxy?.table
  }

  /** Revision that the kernel carries out; undefined: none yet. */
  appliedRevision(): bigint | undefined {
    const revision = this.#proxy?.appliedRevision
    return revision === 0n ? undefined : revision
  }

  async run(signal: AbortSignal): Promise<void> {
    const { known, serviceCIDRs, log, clock } = this.#options
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([Promise.all([known, serviceCIDRs.known]), aborted])
    const flows = openConntrackCleaner({ clock })
    try {
      while (!signal.aborted) {
        const facts = this.#facts()
        const turn = new AbortController()
        const end = (): void => turn.abort()
        signal.addEventListener('abort', end, { once: true })
        await Promise.all([this.#serve(facts, flows, turn.signal), this.#endWhenChanged(facts, turn)])
        signal.removeEventListener('abort', end)
        if (!signal.aborted) log.info('zone, pod or service ranges of this node have changed', { facts: this.#facts() })
      }
    } finally {
      flows.close()
    }
  }

  async #serve(node: ServiceNode, flows: ConntrackCleaner, signal: AbortSignal): Promise<void> {
    const { services, endpointSlices, nft, clock, random, log, metrics, stateDir, report } = this.#options
    await this.#leadToRanges(node)
    this.#proxy = new KernelServiceProxy({
      services,
      endpointSlices,
      node,
      nft,
      clock,
      random,
      log,
      metrics,
      report,
      flows: flowCleaner(flows),
      statePath: join(stateDir, 'services.journal'),
    })
    await this.#proxy.run(signal)
  }

  /** Without a route, programs of the node itself could not even begin to connect to a service. */
  async #leadToRanges(node: ServiceNode): Promise<void> {
    const { routes, device, addresses, log } = this.#options
    try {
      await routes.add(serviceRangeRoutes(node.serviceRanges ?? [], addresses, device))
    } catch (error) {
      log.warn('programs of this node itself may not reach services', { error: String(error) })
    }
  }

  async #endWhenChanged(facts: ServiceNode, turn: AbortController): Promise<void> {
    while (!turn.signal.aborted) {
      await sleep(this.#options.clock, LOOK_AGAIN_MS, turn.signal).catch(() => {})
      if (!deepEqual(this.#facts(), facts)) turn.abort()
    }
  }

  #facts(): ServiceNode {
    const { name, addresses, nodes, serviceCIDRs } = this.#options
    const node = nodes.list().find(({ metadata }) => metadata.name === name)
    const zone = node?.metadata.labels?.[ZONE]
    return {
      name,
      addresses,
      podRanges: [...(node?.spec?.podCIDRs ?? [])],
      serviceRanges: serviceRangesOf(serviceCIDRs.list.list()),
      ...(zone === undefined ? {} : { zone }),
    }
  }
}

/** All ranges that services have addresses from. */
export function serviceRangesOf(ranges: readonly ServiceCIDR[]): readonly string[] {
  return [...new Set(ranges.flatMap(({ spec }) => spec?.cidrs ?? []))].sort()
}

/** Speaks of stale flows in the words of conntrack. */
function flowCleaner(cleaner: ConntrackCleaner): FlowCleaner {
  return {
    async forget(flows: readonly StaleFlow[]): Promise<number> {
      const counts = await Promise.all(
        flows.map(({ address, port, backend }) => {
          const to = parseIp(address)
          const from = backend && parseIp(backend.address)
          return cleaner.deleteUdp({
            port,
            ...(to ? { originalDestination: to } : {}),
            ...(from ? { backend: { address: from, port: backend.port } } : {}),
          })
        }),
      )
      // wishes that came together are answered by one look, which each of them counts
      return Math.max(0, ...counts)
    },
  }
}
