import { formatIp, formatPrefix, type IpBytes } from '../../base/ip.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Fib, FibNextHop, FibProblem, FibRoute } from '../../policy/route/fib-route.ts'
import type { StaticConfig } from './config/index.ts'
import type { InteriorTable } from './interior.ts'
import type { Rib } from './rib/contract.ts'
import { isLinkLocal } from './session-addresses.ts'

/** Changes handed to the kernel in one go. */
const BATCH = 5_000
/** What the kernel refused is tried again after this time, and ever later while it goes on refusing. */
const RETRY_MS = 5_000
const LAST_RETRY_MS = 160_000
/** Gateways whose ways are remembered. */
const MAX_WAYS = 10_000

export interface FibFeederOptions {
  readonly fib: Fib
  readonly clock: Clock
  readonly log: Logger
  readonly interior: () => InteriorTable
  /** Of a link-local gateway, which says nothing without it. */
  readonly deviceOf: (gateway: IpBytes) => string | undefined
}

export interface FibInput {
  readonly rib?: Rib
  readonly install: boolean
  readonly table: number
  readonly metricBase: number
  readonly statics: readonly StaticConfig[]
}

/**
 * Keeps the forwarding table at what the Rib and the static routes say: one whole table first and after every doubt, changes from then on. Nothing is
 * written while selection is deferred after a restart, so that what the kernel kept goes on carrying traffic.
 */
export class FibFeeder {
  readonly #options: FibFeederOptions
  #input: FibInput | undefined
  #deferred = true
  #whole = true
  #running: Promise<void> | undefined
  #again = false
  #revision = 0n
  #problems: readonly FibProblem[] = []
  #isStopped = false
  #retry: Timer | undefined
  #retryMs = RETRY_MS
  /** How gateways were reached when they were looked up; undefined when there are too many. */
  #ways: Map<string, { readonly gateway: IpBytes; readonly way: string }> | undefined = new Map()
  /** Next hops as the kernel gets them, by those of the Rib, which are shared by many routes. */
  #resolved = new WeakMap<readonly FibNextHop[], readonly FibNextHop[]>()

  constructor(options: FibFeederOptions) {
    this.#options = options
  }

  /** Routes that are not in force, with the reason. */
  get problems(): readonly FibProblem[] {
    return this.#problems
  }

  /** Configuration or the way to next hops changed: the whole table is compared. */
  configure(input: FibInput): void {
    this.#input = input
    this.refresh()
  }

  /** Routes of others changed: where the way to a next hop did, the whole table is compared. */
  interiorChanged(): void {
    const isSame =
      this.#problems.length === 0 && this.#ways && [...this.#ways.values()].every(({ gateway, way }) => this.#wayTo(gateway) === way)
    if (!isSame) this.refresh()
  }

  /** All next hops are looked up anew. */
  refresh(): void {
    this.#ways = new Map()
    this.#resolved = new WeakMap()
    this.#whole = true
    this.kick()
  }

  /** Selection is no longer deferred. */
  release(): void {
    if (!this.#deferred) return
    this.#deferred = false
    this.kick()
  }

  get isDeferred(): boolean {
    return this.#deferred
  }

  /** Something changed. */
  kick(): void {
    if (this.#deferred || !this.#input || this.#isStopped) return
    this.#again = true
    this.#running ??= this.#run()
  }

  /** Waits until all that was asked for is written, or has failed. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running
  }

  /** Stops writing; what is in the kernel stays. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#retry?.cancel()
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#isStopped) {
      this.#again = false
      try {
        await this.#write(this.#input as FibInput)
      } catch (error) {
        // the kernel's state is not known any more
        this.#whole = true
        this.#options.log.warn('routes not written, will be tried again', { error: messageOf(error) })
        this.#retryLater()
      }
    }
    // in the same breath as the last look at what was asked for
    this.#running = undefined
  }

  async #write(input: FibInput): Promise<void> {
    const { fib } = this.#options
    if (this.#whole) {
      this.#whole = false
      const problems = await fib.apply(this.#wholeTable(input), ++this.#revision)
      if (problems.length === 0) this.#retryMs = RETRY_MS
      this.#report(problems)
      // what was pending before is in it, and must be taken all the same: the Rib tells of changes once until they are
      if (this.#isStopped || this.#whole) return
    }
    const rib = input.install ? input.rib : undefined
    for (let changes = rib?.takeFibChanges(BATCH); changes; changes = rib?.takeFibChanges(BATCH)) {
      const { add, remove } = changes
      const problems = await fib.change(
        { add: add.map((route) => this.#resolve(route, input)), remove: remove.map((route) => ({ ...route, table: input.table })) },
        ++this.#revision,
      )
      if (problems.length > 0) this.#report(problems)
      if (this.#isStopped || this.#whole) return
    }
  }

  *#wholeTable(input: FibInput): Generator<FibRoute> {
    for (const route of input.statics) yield this.#static(route, input)
    if (!input.install || !input.rib) return
    for (const route of input.rib.fibRoutes()) yield this.#resolve(route, input)
  }

  #static({ prefix, type, nextHops, distance }: StaticConfig, { table, metricBase }: FibInput): FibRoute {
    return {
      prefix,
      type,
      nextHops: nextHops.map(({ address, device, weight }) => ({
        ...(address ? { gateway: address } : {}),
        ...(device === undefined ? {} : { device }),
        weight,
      })),
      metric: metricBase + distance,
      table,
    }
  }

  #resolve(route: FibRoute, { table }: FibInput): FibRoute {
    let nextHops = this.#resolved.get(route.nextHops)
    if (!nextHops) {
      nextHops = distinct(route.nextHops.map((hop) => this.#resolveHop(hop)))
      this.#resolved.set(route.nextHops, nextHops)
    }
    return { ...route, table, nextHops }
  }

  #resolveHop(hop: FibNextHop): FibNextHop {
    if (hop.gateway && isLinkLocal(hop.gateway)) {
      const device = this.#options.deviceOf(hop.gateway)
      return device === undefined ? hop : { ...hop, device }
    }
    const via = hop.gateway && this.#options.interior().lookup(hop.gateway)
    if (hop.gateway) this.#remember(hop.gateway)
    if (!via) return hop
    // the kernel takes gateways on a link only: one further away is reached through the gateway of its route
    return {
      ...hop,
      ...(via.gateway ? { gateway: via.gateway } : {}),
      ...(via.device === undefined ? {} : { device: via.device }),
    }
  }

  #report(problems: readonly FibProblem[]): void {
    this.#problems = problems
    if (problems.length === 0) return
    const [first] = problems
    this.#options.log.warn('routes refused by the kernel', { count: problems.length, prefix: first?.prefix, problem: first?.message })
    this.#retryLater()
  }

  #retryLater(): void {
    this.#retry ??= this.#options.clock.after(this.#retryMs, () => {
      this.#retry = undefined
      this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS)
      this.refresh()
    })
  }

  #remember(gateway: IpBytes): void {
    if (this.#ways && this.#ways.size >= MAX_WAYS) this.#ways = undefined
    this.#ways?.set(formatIp(gateway), { gateway, way: this.#wayTo(gateway) })
  }

  #wayTo(gateway: IpBytes): string {
    const via = this.#options.interior().lookup(gateway)
    return via ? `${via.gateway ? formatIp(via.gateway) : ''} ${via.device}` : 'none'
  }
}

/** Two next hops that lead through one gateway are one. */
function distinct(hops: readonly FibNextHop[]): readonly FibNextHop[] {
  if (hops.length < 2) return hops
  const seen = new Map(hops.map((hop) => [`${hop.gateway ? formatIp(hop.gateway) : ''} ${hop.device ?? ''}`, hop]))
  return [...seen.values()]
}

/** For people: `10.0.0.0/8 via 192.0.2.1 dev eth0`. */
export function fibRouteText({ prefix, type = 'unicast', nextHops, metric }: FibRoute): string {
  const hops = nextHops.map(({ gateway, device }) => `${gateway ? `via ${formatIp(gateway)}` : ''}${device ? ` dev ${device}` : ''}`.trim())
  return [formatPrefix(prefix), type === 'unicast' ? hops.join(', ') : type, `metric ${metric}`].join(' ')
}
