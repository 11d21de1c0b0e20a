import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { backoffMs, type Random } from '../../../base/backoff.ts'
import { sleep, type Clock, type Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import type { Frontend, ServiceNode, ServiceTable } from '../../../policy/packet/services/index.ts'
import type { ForeignChange, Nft } from '../../forwarding/contract.ts'
import type { ChangingList } from '../service-proxy.ts'
import { HealthChecks } from './health-checks.ts'
import { KernelTables } from './kernel-tables.ts'
import { ObjectChangeTracker, type ObjectChanges } from './object-changes.ts'
import type { UpdatePlan } from './plan-update.ts'
import { ProxyHealth, type HealthzAnswer } from './proxy-health.ts'
import { ProxyMetrics } from './proxy-metrics.ts'
import { readRefusals, type Refusal } from './refusal-counters.ts'
import { afterRepair, decideRepair, type RepairHistory } from './repair-pace.ts'
import { TABLE } from './ruleset.ts'
import type { FlowCleaner } from './stale-flows.ts'

export interface KernelServiceProxyOptions {
  readonly services: ChangingList<Service>
  readonly endpointSlices: ChangingList<EndpointSlice>
  readonly node: ServiceNode
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: Metrics
  readonly nft: Nft
  /** Forgets UDP connections to backends that went; absent: they last until they time out. */
  readonly flows?: FlowCleaner
  /** File for what was last applied, so that a restart goes on where the process before it ended. */
  readonly statePath?: string
  /** Resolves when the lists are whole: until then the kernel stays as it was found. Default: at once. */
  readonly ready?: () => Promise<unknown>
  /** Tells people: somebody else changed the tables, or two services claim one address. */
  readonly report?: (reason: 'ForeignChange' | 'ForeignChangeGoesOn', message: string) => void
}

const RETRY = { baseMs: 500, maxMs: 60_000 }
/** The service proxy in the kernel: nf_tables kept equal to what the services say. Level-based; see the tour in index.ts. */
export class KernelServiceProxy {
  readonly #options: KernelServiceProxyOptions
  readonly #tables: KernelTables
  readonly #objects: ObjectChangeTracker
  readonly #health: ProxyHealth
  readonly #checks: HealthChecks
  readonly #metrics: ProxyMetrics
  #dirty = true
  #isFirst = true
  #wake: () => void = () => {}
  #failures = 0
  #appliedRevision = 0n
  #repairs: RepairHistory | undefined
  #repairTimer: Timer | undefined

  constructor(options: KernelServiceProxyOptions) {
    const { node, nft, random, log, statePath, clock } = options
    this.#options = options
    this.#tables = new KernelTables({ nft, node, random, log, ...(statePath === undefined ? {} : { statePath }) })
    this.#objects = new ObjectChangeTracker(node)
    this.#health = new ProxyHealth(clock)
    this.#checks = new HealthChecks({ addresses: node.addresses, isHealthy: () => this.#health.isHealthy, log })
    this.#metrics = new ProxyMetrics(options.metrics)
  }

  /** Revision of the store that the kernel carries out; 0: none yet. */
  get appliedRevision(): bigint {
    return this.#appliedRevision
  }

  /** The table as compiled last: for `resolveService`. */
  get table(): ServiceTable {
    return this.#objects.table
  }

  /** How often the kernel turned away whom it could not serve. @throws NftError */
  refusals(): Promise<readonly Refusal[]> {
    return readRefusals(this.#options.nft)
  }

  /** For `/healthz` and `/livez` of the node. */
  healthz(isNodeEligible?: boolean): HealthzAnswer {
    return this.#health.answer(isNodeEligible)
  }

  /** Serves until the signal aborts. The kernel goes on serving after that. */
  async run(signal: AbortSignal): Promise<void> {
    const { services, endpointSlices, ready, nft, log } = this.#options
    const stops = [services.onChange(() => this.#changed()), endpointSlices.onChange(() => this.#changed())]
    const aborted = (): void => this.#wake()
    signal.addEventListener('abort', aborted)
    const foreign = this.#watchForeign(nft.foreignChanges([`ip ${TABLE}`, `ip6 ${TABLE}`], signal), signal)
    try {
      await untilAborted(ready?.() ?? Promise.resolve(), signal)
      if (!signal.aborted && (await this.#tables.resume())) log.info('services in the kernel are continued')
      while (!signal.aborted) await this.#step(signal)
    } finally {
      for (const stop of stops) stop()
      signal.removeEventListener('abort', aborted)
      this.#repairTimer?.cancel()
      await Promise.all([foreign, this.#checks.close(), this.#tables.close()])
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    this.#dirty = false
    try {
      await this.#sync()
      this.#failures = 0
    } catch (error) {
      this.#metrics.failures.inc()
      this.#failures++
      const inMs = backoffMs(this.#failures, RETRY, this.#options.random)
      this.#options.log.error('services cannot be written to the kernel, will be tried again', { error: messageOf(error), inMs })
      await sleep(this.#options.clock, inMs, signal).catch(() => {})
      return
    }
    if (this.#dirty || signal.aborted) return
    await this.#tables.tidy()
    if (this.#dirty || signal.aborted) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  async #sync(): Promise<void> {
    const { services, endpointSlices, clock } = this.#options
    const begin = clock.monotonic()
    const changes = this.#objects.look(services.list(), endpointSlices.list())
    const table = this.#objects.table
    const isFull = !this.#tables.applied || this.#isFirst
    if (isFull) await this.#applyAll(table)
    else await this.#applyChanges(changes)
    this.#isFirst = false
    this.#appliedRevision = table.revision
    this.#health.updated()
    this.#count(changes, { seconds: (clock.monotonic() - begin) / 1000, isFull })
    await this.#checks.update(table.healthChecks)
  }

  /** After a start by difference where the kernel is known; else anew. */
  async #applyAll(table: ServiceTable): Promise<void> {
    const { applied } = this.#tables
    if (!applied) return this.#tables.replace(table.frontends)
    const gone = [...applied.frontends.keys()].filter((key) => !table.frontends.has(key))
    await this.#carryOut([...table.frontends, ...gone.map((key) => [key, undefined] as const)])
  }

  async #applyChanges({ frontends }: ObjectChanges): Promise<void> {
    await this.#carryOut(frontends.map(({ key, after }) => [key, after] as const))
  }

  async #carryOut(wanted: readonly (readonly [string, Frontend | undefined])[]): Promise<void> {
    const plan = this.#tables.plan(wanted)
    try {
      if (plan.exhausted) this.#tables.distrust()
      else await this.#tables.update(plan)
    } catch (error) {
      this.#metrics.failures.inc()
      this.#options.log.warn('a change of services was refused: the tables are made anew', { error: messageOf(error) })
    }
    if (!this.#tables.applied) await this.#tables.replace(this.#objects.table.frontends)
    this.#forget(plan)
  }

  #changed(): void {
    this.#dirty = true
    this.#health.queued()
    this.#metrics.lastQueued.set(this.#options.clock.now() / 1000)
    this.#wake()
  }

  #count(changes: ObjectChanges, { seconds, isFull }: { readonly seconds: number; readonly isFull: boolean }): void {
    const metrics = this.#metrics
    const { table } = this.#objects
    const now = this.#options.clock.now()
    metrics.sync.observe(seconds)
    ;(isFull ? metrics.fullSync : metrics.partialSync).observe(seconds)
    metrics.lastSync.set(now / 1000)
    metrics.serviceChanges.inc(changes.services)
    metrics.endpointChanges.inc(changes.slices)
    // what was there before the start says nothing about how fast we are
    if (!isFull) for (const time of changes.triggeredAt) metrics.programming.observe(Math.max(0, now - time) / 1000)
    metrics.noLocalInternal.set(table.withoutLocal.internal)
    metrics.noLocalExternal.set(table.withoutLocal.external)
    metrics.revision.set(Number(table.revision))
    metrics.frontends.set(table.frontends.size)
    metrics.conflicts.set(table.conflicts.length)
  }

  /** Off the way of changes, which do not wait for it. */
  #forget({ stale }: UpdatePlan): void {
    const { flows, log } = this.#options
    if (!flows || stale.length === 0) return
    flows.forget(stale).then(
      (count) => this.#metrics.staleFlows.inc(count),
      (error: unknown) => log.warn('stale UDP connections could not be forgotten', { error: messageOf(error) }),
    )
  }

  async #watchForeign(changes: AsyncIterable<ForeignChange>, signal: AbortSignal): Promise<void> {
    try {
      for await (const change of changes) {
        if (signal.aborted) return
        this.#foreignChange(change)
      }
    } catch (error) {
      if (!signal.aborted) {
        this.#options.log.error('changes of service tables by others are not noticed any more', { error: messageOf(error) })
      }
    }
  }

  #foreignChange({ family, table, pid, process }: ForeignChange): void {
    const { clock, log, report } = this.#options
    const who = pid === 0 ? 'someone' : `${process || 'a process'} (pid ${pid})`
    this.#metrics.foreignChange(process)
    if (this.#repairTimer) return
    const { inMs, isContested } = decideRepair(this.#repairs, clock.monotonic())
    const reason = isContested ? 'ForeignChangeGoesOn' : 'ForeignChange'
    const message = isContested
      ? `${who} keeps changing the nf_tables table ${family} ${table}, which is biplane's; it is put right ever less often: stop one of the two`
      : `${who} changed the nf_tables table ${family} ${table}, which is biplane's; it is made anew`
    report?.(reason, message)
    log.warn('service tables were changed by someone else', { table: `${family} ${table}`, pid, process, repairInMs: inMs })
    this.#repairTimer = clock.after(inMs, () => {
      this.#repairTimer = undefined
      this.#repairs = afterRepair(this.#repairs, clock.monotonic())
      this.#metrics.repairs.inc()
      this.#tables.distrust()
      this.#dirty = true
      this.#wake()
    })
  }
}

function untilAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  return Promise.race([
    promise,
    new Promise((resolve) => {
      if (signal.aborted) resolve(undefined)
      else signal.addEventListener('abort', resolve, { once: true })
    }),
  ])
}
