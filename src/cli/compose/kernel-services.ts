import { join } from 'node:path'
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../../api/generated/types.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import { openConntrackCleaner, type ConntrackCleaner } from '../../data-plane/forwarding/conntrack/index.ts'
import type { Nft } from '../../data-plane/forwarding/contract.ts'
import type { PodRoutes } from '../../data-plane/node/network/index.ts'
import {
  conntrackFlows,
  KernelServiceProxy,
  serveHealthz,
  serviceRangeRoutes,
  type HealthzAnswer,
  type Refusal,
} from '../../data-plane/service-proxy/kernel/index.ts'
import type { ChangingList } from '../../data-plane/service-proxy/index.ts'
import type { ServiceNode, ServiceTable } from '../../policy/packet/services/index.ts'
import type { Source } from './packet-sources.ts'

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

/** Taint that cluster-autoscaler puts on nodes that it removes. */
const GOING = 'ToBeDeletedByClusterAutoscaler'
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

  /** How often the kernel turned away whom it could not serve. @throws NftError */
  async refusals(): Promise<readonly Refusal[]> {
    return (await this.#proxy?.refusals()) ?? []
  }

  async run(signal: AbortSignal): Promise<void> {
    const { addresses, log } = this.#options
    const answer = (isNodeEligible?: boolean): HealthzAnswer =>
      this.#proxy?.healthz(isNodeEligible) ?? { code: 503, body: '{"reason":"services are not known yet"}' }
    await Promise.all([this.#follow(signal), serveHealthz({ addresses, log, answer, isNodeEligible: () => this.#isEligible() }, signal)])
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { known, serviceCIDRs, log, clock } = this.#options
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([Promise.all([known, serviceCIDRs.known]), aborted])
    const conntrack = openConntrackCleaner({ clock })
    try {
      while (!signal.aborted) {
        const facts = this.#facts()
        const turn = new AbortController()
        const end = (): void => turn.abort()
        signal.addEventListener('abort', end, { once: true })
        await Promise.all([this.#serve(facts, conntrack, turn.signal), this.#endWhenChanged(facts, turn)])
        signal.removeEventListener('abort', end)
        if (!signal.aborted) log.info('zone, pod or service ranges of this node have changed', { facts: this.#facts() })
      }
    } finally {
      conntrack.close()
    }
  }

  async #serve(node: ServiceNode, conntrack: ConntrackCleaner, signal: AbortSignal): Promise<void> {
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
      flows: conntrackFlows(conntrack),
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

  /** Ends the turn as soon as other facts hold. */
  async #endWhenChanged(facts: ServiceNode, turn: AbortController): Promise<void> {
    const { nodes, serviceCIDRs } = this.#options
    const look = (): void => {
      if (!deepEqual(this.#facts(), facts)) turn.abort()
    }
    const stops = [nodes.onChange(look), serviceCIDRs.list.onChange(look)]
    // between what was read and the first notice
    look()
    if (!turn.signal.aborted) await new Promise<void>((resolve) => turn.signal.addEventListener('abort', () => resolve(), { once: true }))
    for (const stop of stops) stop()
  }

  /** Load balancers are to leave a node alone that is about to go. Source: kube-proxy, KEP-3836. */
  #isEligible(): boolean {
    const node = this.#node()
    return node?.metadata.deletionTimestamp === undefined && !(node?.spec?.taints ?? []).some(({ key }) => key === GOING)
  }

  #node(): Node | undefined {
    const { name, nodes } = this.#options
    return nodes.list().find(({ metadata }) => metadata.name === name)
  }

  #facts(): ServiceNode {
    const { name, addresses, serviceCIDRs } = this.#options
    const node = this.#node()
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
