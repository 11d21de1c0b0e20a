import { formatPrefix, type IpPrefix } from '../../../base/ip.ts'
import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Node } from '../../../api/generated/types.ts'
import type { NodeAddressPool } from './addresses/pod-addresses.ts'
import type { PodNatTable } from './nat/pod-nat-table.ts'
import type { NodeLinks } from './node-links.ts'
import { planNodeRoutes, type NodeRouteMode, type SelfNode } from './routes/plan-node-routes.ts'
import { podCidrsOf, readNode } from './routes/read-nodes.ts'
import type { TaggedRoutes } from './routes/tagged-routes.ts'
import type { TunnelEnd } from './routes/tunnel-end.ts'

export interface NodeRoutesOptions {
  readonly name: string
  readonly addresses: SelfNode['addresses']
  readonly mode: NodeRouteMode
  /** Given by the user; absent: those of the Node. */
  readonly podCidrs?: readonly IpPrefix[]
  /** All nodes, also while the control plane is away. */
  readonly nodes: { list(): readonly Node[]; onChange(fn: () => void): () => void }
  readonly links: () => Promise<NodeLinks | undefined>
  readonly pool: NodeAddressPool
  readonly nat: PodNatTable
  readonly routes: TaggedRoutes
  /** Absent: there is no tunnel. */
  readonly tunnel?: TunnelEnd | undefined
  /** Pods of an earlier agent have their routes. */
  readonly restored: Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** How often everything is looked at though nothing hinted at a change. */
const RESYNC_MS = 10_000
const RETRY_MS = 1_000

/** Follows the nodes of the cluster: this one's pod ranges, the way to the others' pods, and what is masqueraded. */
export class NodeRoutes {
  readonly #options: NodeRoutesOptions
  readonly #listeners = new Set<() => void>()
  #wake = new AbortController()
  #ranges = ''
  #natRanges = ''
  #problems = ''
  #isTunnelled: boolean

  constructor(options: NodeRoutesOptions) {
    this.#options = options
    this.#isTunnelled = options.mode === 'vxlan'
    this.#adoptRanges()
  }

  /** Why pods cannot have a network just now. */
  problem(): string | undefined {
    if (this.#options.pool.ranges.length > 0) return undefined
    return 'the pod network has no addresses: the control plane has given this node no pod CIDR (biplane control-plane --cluster-cidr), and none was given to it (--pod-cidr)'
  }

  /** Calls `fn` when `problem` may say something else. */
  readonly onChange = (fn: () => void): (() => void) => {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  /** Whether packets to other nodes need room for the header of a tunnel. */
  get isTunnelled(): boolean {
    return this.#isTunnelled
  }

  /** Look again now. */
  nudge(): void {
    this.#wake.abort()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, clock, log } = this.#options
    const stop = nodes.onChange(() => {
      this.#adoptRanges()
      this.nudge()
    })
    signal.addEventListener('abort', () => this.nudge(), { once: true })
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([this.#options.restored, aborted])
    while (!signal.aborted) {
      this.#wake = new AbortController()
      let delayMs = RESYNC_MS
      try {
        await this.#reconcile()
      } catch (error) {
        log.warn('the routes to other nodes are not as they should be; tried again', { error: messageOf(error) })
        delayMs = RETRY_MS
      }
      if (!signal.aborted) await sleep(clock, delayMs, this.#wake.signal).catch(() => {})
    }
    stop()
  }

  #adoptRanges(): void {
    const { pool, nodes, name, podCidrs } = this.#options
    const ranges = podCidrs ?? podCidrsOf(nodes.list().find((node) => node.metadata.name === name))
    const text = ranges.map(formatPrefix).join(',')
    // a Node that was deleted comes back with its ranges, or others: until then pods go on being numbered from these
    if (text === this.#ranges || ranges.length === 0) return
    if (this.#ranges !== '')
      this.#options.log.warn('the pod CIDR of this node has changed; pods that run keep their addresses', {
        before: this.#ranges,
        now: text,
      })
    this.#ranges = text
    pool.setRanges(ranges)
    for (const fn of this.#listeners) fn()
  }

  async #reconcile(): Promise<void> {
    const { nodes, name, addresses, mode, links, pool, routes, tunnel, nat } = this.#options
    const known = nodes.list().map(readNode)
    const own = pool.ranges
    const self = { name, addresses, mode, podCidrs: own, subnets: (await links())?.subnets ?? [] }
    const plan = planNodeRoutes(known, self)
    this.#isTunnelled = mode === 'vxlan' || plan.tunnels.length > 0
    await tunnel?.keep()
    await tunnel?.setAddresses(own)
    await tunnel?.setTunnels(plan.tunnels)
    const refused = await routes.replaceNodeRoutes(plan.routes)
    const cluster = [...own, ...known.filter((node) => node.name !== name).flatMap((node) => node.podCidrs)]
    const natRanges = cluster.map(formatPrefix).join(',')
    if (natRanges !== this.#natRanges) {
      await nat.setRanges(own, cluster)
      this.#natRanges = natRanges
    }
    this.#tell([...plan.problems, ...refused.map(({ prefix, message }) => `no route to ${prefix}: ${message}`)])
  }

  #tell(problems: readonly string[]): void {
    const text = problems.join('; ')
    if (text === this.#problems) return
    this.#problems = text
    if (text === '') this.#options.log.info('pods of all nodes can be reached')
    else this.#options.log.warn('pods of some nodes cannot be reached', { problems })
  }
}
