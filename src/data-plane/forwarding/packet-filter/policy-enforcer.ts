import type { Namespace, NetworkPolicy, Node, Pod } from '../../../api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../../api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Histogram, Metrics } from '../../../base/metrics.ts'
import {
  evaluatePacket,
  PolicyCompiler,
  type DenyAction,
  type PacketFacts,
  type PacketPolicy,
  type PacketVerdict,
} from '../../../policy/packet/policies/index.ts'
import type { PodProtection } from '../../node/network/pod-protection.ts'
import type { ChangingList } from '../../service-proxy/index.ts'
import type { Nft, NftStructures } from '../contract.ts'
import type { RenderOptions } from './filter-draft.ts'
import { FILTER_FAMILY, FILTER_TABLE, idOfPrefix, type FilterModel } from './filter-model.ts'
import { FilterRenderer } from './filter-renderer.ts'
import { asElementChanges, planFilterChange, replaceFilter } from './plan-filter-change.ts'
import { NodeTunnels } from './node-tunnels.ts'
import { PodAddresses } from './pod-addresses.ts'
import { PolicyCounters, type RuleCount } from './policy-counters.ts'
import { ProtectionClaims } from './protection-claims.ts'
import { RepairPace } from './repair-pace.ts'
import { VerdictLog, type Denial, type PacketLogMessage } from './verdict-log.ts'

export interface PolicyEnforcerOptions extends RenderOptions {
  readonly networkPolicies: ChangingList<NetworkPolicy>
  readonly clusterNetworkPolicies: ChangingList<ClusterNetworkPolicy>
  /** All pods of the cluster: peers are everywhere. */
  readonly pods: ChangingList<Pod>
  readonly namespaces: ChangingList<Namespace>
  readonly nodes: ChangingList<Node>
  /** Resolves when every list is whole, by a sync or by the last good state; until then the kernel is left as found and no new pod starts. */
  readonly known: Promise<unknown>
  /** Resolves when what policies are made of is on disk, as far as it is listed now; so the next process cannot begin with less than the kernel has. */
  readonly kept?: () => Promise<unknown>
  /** Name of this node. */
  readonly node: string
  /** Without `commit` a change of chains replaces the whole table. */
  readonly nft: Nft & Partial<NftStructures>
  /** Log messages of group 190 (LOG_GROUP), until the signal aborts. Absent: denials are counted, not told. */
  readonly openLog?: (signal: AbortSignal) => AsyncIterable<PacketLogMessage>
  /** How packets are denied where no annotation says it. Default `Drop`. */
  readonly denyAction?: DenyAction
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** What of the policies is in force on this node. */
export interface EnforcerState {
  /** Revision of the artefact in the kernel; absent before the first. */
  readonly applied?: string
  /** Revision that the kernel has refused, and why. */
  readonly refused?: { readonly revision: string; readonly message: string }
  readonly problems: PacketPolicy['problems']
}

const RETRY_MS = [250, 1_000, 5_000, 15_000] as const
const COUNT_EVERY_MS = 15_000
const TELL_EVERY_MS = 10_000
const TABLE = `${FILTER_FAMILY} ${FILTER_TABLE}`

/**
 * Keeps the kernel's packet filter equal to the policies. One transaction per change; the whole table at once in the beginning, after an error, and when
 * somebody else has changed it. Leaves the filter in force when it ends.
 */
export class PolicyEnforcer implements PodProtection {
  readonly #options: PolicyEnforcerOptions
  readonly #compiler = new PolicyCompiler()
  readonly #renderer: FilterRenderer
  readonly #claims = new ProtectionClaims()
  readonly #tunnels = new NodeTunnels()
  readonly #pace = new RepairPace()
  readonly #counters: PolicyCounters
  readonly #verdicts: VerdictLog
  readonly #addresses: PodAddresses
  readonly #duration: Histogram
  #policy: PacketPolicy | undefined
  /** What the kernel has; undefined when that is not known for sure. */
  #inForce: FilterModel | undefined
  #labels: FilterModel['labels'] = new Map()
  #state: EnforcerState = { problems: [] }
  #isForeign = false
  #isDirty = true
  #wake: () => void = () => {}

  constructor(options: PolicyEnforcerOptions) {
    this.#options = options
    this.#renderer = new FilterRenderer(options)
    this.#counters = new PolicyCounters(options.metrics)
    this.#addresses = new PodAddresses(options.pods)
    this.#verdicts = new VerdictLog({ clock: options.clock, log: options.log, podAt: (address) => this.#addresses.podAt(address) })
    this.#duration = options.metrics
      .histogram('biplane_policy_sync_duration_seconds', 'Time from a change of packet policies to the kernel')
      .with()
  }

  /** Enforces until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { networkPolicies, clusterNetworkPolicies, pods, namespaces, nodes, known } = this.#options
    const changed = (): void => {
      this.#isDirty = true
      this.#wake()
    }
    const stops = [networkPolicies, clusterNetworkPolicies, pods, namespaces, nodes].map((list) => list.onChange(changed))
    this.#claims.onChange(changed)
    signal.addEventListener('abort', changed)
    const beside = [this.#watchStrangers(signal), this.#readLog(signal), this.#count(signal)]
    try {
      const waiting = this.#tellWaiting()
      await Promise.race([known, new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))])
      waiting.cancel()
      let failures = 0
      while (!signal.aborted) {
        // what changes now, or starts, needs the table whole; only mere repairs have a pace
        const isRepair = this.#isForeign && (this.#isDirty || this.#pace.delay(this.#options.clock.monotonic()) === 0)
        if (this.#isDirty || isRepair) failures = (await this.#sync(isRepair)) ? 0 : failures + 1
        if (signal.aborted) break
        await this.#wait(failures)
      }
    } finally {
      for (const stop of stops) stop()
      signal.removeEventListener('abort', changed)
      this.#claims.close()
      await Promise.all(beside)
    }
  }

  protect(pod: Pod, ips: readonly string[]): Promise<void> {
    // packets of the host's network are the node's own
    return pod.spec?.hostNetwork === true ? Promise.resolve() : this.#claims.protect(pod, ips)
  }

  release(podUid: string): void {
    this.#claims.release(podUid)
  }

  /** The artefact in force. */
  policy(): PacketPolicy | undefined {
    return this.#policy
  }

  /** Judges by the artefact in force; undefined before there is one. @throws RangeError for what is no address */
  evaluate(packet: PacketFacts): PacketVerdict | undefined {
    return this.#policy && evaluatePacket(this.#policy, packet)
  }

  state(): EnforcerState {
    return this.#state
  }

  /** The last denials, oldest first, at most 1,000. The kernel tells at most 10 a second of each rule. */
  recent(): readonly Denial[] {
    return this.#verdicts.recent()
  }

  /** Reads the kernel's counters, per policy and rule. @throws NftError */
  async counters(): Promise<readonly RuleCount[]> {
    if (this.#inForce) this.#counters.update(this.#labels, await this.#options.nft.list('counters', 'table', FILTER_FAMILY, FILTER_TABLE))
    return this.#counters.counts()
  }

  /** Pods that cannot start should say why, and ask again. */
  #tellWaiting(): Timer {
    const { clock, pods } = this.#options
    const tell = (): void => {
      const { settle } = this.#claims.take(pods)
      settle(
        new Error(
          'packet policies are not known yet: this node has neither been told all pods, namespaces, policies and nodes, nor has copies',
        ),
      )
      timer = clock.after(TELL_EVERY_MS, tell)
    }
    let timer = clock.after(TELL_EVERY_MS, tell)
    return { cancel: () => timer.cancel() }
  }

  /** @returns whether the kernel has it */
  async #sync(isRepair: boolean): Promise<boolean> {
    const { clock, log, node, denyAction } = this.#options
    const begin = clock.monotonic()
    this.#isDirty = false
    const { claims, released, settle } = this.#claims.take(this.#options.pods)
    const { networkPolicies, clusterNetworkPolicies, pods, namespaces, nodes } = this.#options
    let revision = ''
    try {
      const policy = this.#compiler.update({
        networkPolicies: networkPolicies.list(),
        clusterNetworkPolicies: clusterNetworkPolicies.list(),
        pods: pods.list(),
        namespaces: namespaces.list(),
        nodes: nodes.list(),
        node,
        claims,
        released,
        ...(denyAction ? { options: { denyAction } } : {}),
      })
      revision = policy.revision
      const model = this.#renderer.render(policy, this.#tunnels.of(nodes.list()))
      await this.#options.kept?.()
      if (isRepair) this.#isForeign = false
      await this.#apply(isRepair ? undefined : this.#inForce, model)
      if (isRepair) this.#pace.repaired(clock.monotonic())
      this.#inForce = model
      this.#labels = model.labels
      this.#policy = policy
      if (this.#state.refused) log.info('packet policies are in force again', { revision })
      for (const { policy: id, message } of policy.problems) {
        if (!this.#state.problems.some((old) => old.policy === id && old.message === message))
          log.warn('policy is not understood', { policy: id, message })
      }
      this.#state = { applied: revision, problems: policy.problems }
      this.#duration.observe((clock.monotonic() - begin) / 1000)
      settle()
      return true
    } catch (error) {
      const message = messageOf(error)
      if (this.#state.refused?.message !== message)
        log.error('packet policies not applied; what was in force stays', { revision, error: message })
      this.#state = { ...this.#state, refused: { revision, message } }
      // whatever is there now, only the whole table is sure to fit
      this.#inForce = undefined
      this.#isDirty = true
      settle(new Error(`packet policies are not in force: ${message}`))
      return false
    }
  }

  async #apply(before: FilterModel | undefined, model: FilterModel): Promise<void> {
    const { nft, log } = this.#options
    const change = before && planFilterChange(before, model)
    if (change?.kind === 'none') return
    try {
      if (change && nft.commit) return await nft.commit({ family: FILTER_FAMILY, table: FILTER_TABLE }, change.changes)
      if (change?.kind === 'elements') return await nft.apply(asElementChanges(change.changes))
    } catch (error) {
      log.warn('a change of the packet filter was refused; it is replaced as a whole', { error: messageOf(error) })
    }
    await nft.run(replaceFilter(model))
  }

  async #wait(failures: number): Promise<void> {
    const { clock } = this.#options
    if (failures === 0 && this.#isDirty) return
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    const pauseMs =
      failures > 0
        ? (RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] as number)
        : this.#isForeign
          ? this.#pace.delay(clock.monotonic())
          : undefined
    if (pauseMs === undefined) return woken
    const timer = clock.after(pauseMs, () => this.#wake())
    await woken
    timer.cancel()
  }

  async #watchStrangers(signal: AbortSignal): Promise<void> {
    const { nft, log, metrics } = this.#options
    const repairs = metrics.counter('biplane_policy_foreign_changes_total', 'Changes to the packet filter by other programs').with()
    try {
      for await (const { pid, process } of nft.foreignChanges([TABLE], signal)) {
        repairs.inc()
        // one line for each time that it is put right
        if (!this.#isForeign) log.warn('another program has changed the packet filter; it is put right', { table: TABLE, pid, process })
        this.#isForeign = true
        this.#wake()
      }
    } catch (error) {
      if (!signal.aborted) log.warn('changes of the packet filter by others go unseen', { error: messageOf(error) })
    }
  }

  async #readLog(signal: AbortSignal): Promise<void> {
    const { openLog, log } = this.#options
    if (!openLog) return
    try {
      for await (const message of openLog(signal)) {
        const label = this.#labels.get(idOfPrefix(message.prefix) ?? -1)
        if (label) this.#verdicts.note(label, message)
      }
    } catch (error) {
      if (!signal.aborted) log.warn('denied packets are counted, but not told', { error: messageOf(error) })
    }
  }

  async #count(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(COUNT_EVERY_MS, resolve)
        signal.addEventListener(
          'abort',
          () => {
            timer.cancel()
            resolve()
          },
          { once: true },
        )
      })
      if (signal.aborted) return
      await this.counters().catch((error: unknown) => log.debug('counters of the packet filter not read', { error: messageOf(error) }))
    }
  }
}
