import { sleep } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Lease, Node, Pod } from '../../../api/generated/types.ts'
import { leases } from '../../../api/coordination/v1/lease.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { podPhaseIsTerminal } from '../../../api/pod-status.ts'
import type { Informer } from '../../../client/cache.ts'
import type { EventRecorder, Manager } from '../../../controller/contract.ts'
import { disruptionOf, evictionTimeMs, plannedTaints, silentConditions, type Disruption } from './plan-node.ts'

export interface NodeLifecycleOptions {
  /** A node whose Lease is not renewed for this long is NotReady. Default 40,000. */
  readonly gracePeriodMs?: number
  /** Between two looks. Default 5,000. */
  readonly monitorPeriodMs?: number
}

const BY_NODE = 'nodeName'
const NAMESPACE = 'kube-node-lease'

/** Declares silent nodes NotReady, taints nodes by their condition, evicts pods from tainted nodes, and never many nodes at once. */
export function addNodeLifecycleController(manager: Manager, options: NodeLifecycleOptions = {}): void {
  const controller = new NodeLifecycle(manager, options)
  manager.addTask('node-lifecycle', (signal) => controller.run(signal))
}

class NodeLifecycle {
  readonly #manager: Manager
  readonly #options: Required<NodeLifecycleOptions>
  readonly #nodes: Informer<Node>
  readonly #leases: Informer<Lease>
  readonly #pods: Informer<Pod>
  readonly #recorder: EventRecorder
  /** When each node was last heard of, by our own clock: theirs may be wrong. */
  readonly #heard = new Map<string, { readonly renewTime: string; readonly atMs: number }>()
  readonly #taintSeen = new Map<string, number>()

  constructor(manager: Manager, options: NodeLifecycleOptions) {
    this.#manager = manager
    this.#options = { gracePeriodMs: options.gracePeriodMs ?? 40_000, monitorPeriodMs: options.monitorPeriodMs ?? 5_000 }
    this.#nodes = manager.informers.informer(nodes)
    this.#leases = manager.informers.informer(leases, { namespace: NAMESPACE })
    this.#pods = manager.informers.informer(pods)
    this.#pods.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))
    this.#recorder = manager.recorder('node-controller')
    this.#leases.addHandler({ add: (lease) => this.#hear(lease), update: (lease) => this.#hear(lease) })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#manager
    // a node that was silent while no controller watched gets its whole grace period again
    for (const node of this.#nodes.lister.list())
      this.#heard.set(node.metadata.name, { renewTime: this.#heard.get(node.metadata.name)?.renewTime ?? '', atMs: clock.monotonic() })
    while (!signal.aborted) {
      try {
        await this.#look(signal)
      } catch (error) {
        if (!signal.aborted) log.warn('node monitoring failed, will be retried', { error: messageOf(error) })
      }
      await sleep(clock, Math.min(this.#options.monitorPeriodMs, this.#nextEvictionMs()), signal).catch(() => {})
    }
  }

  #hear(lease: Lease): void {
    const renewTime = lease.spec?.renewTime ?? ''
    const name = lease.metadata.name
    if (this.#heard.get(name)?.renewTime === renewTime) return
    this.#heard.set(name, { renewTime, atMs: this.#manager.clock.monotonic() })
  }

  async #look(signal: AbortSignal): Promise<void> {
    const all = this.#nodes.lister.list()
    const silent = all.filter((node) => this.#isSilent(node))
    const ready = all.filter((node) => !silent.includes(node) && isReady(node))
    const disruption = disruptionOf(ready.length, all.length - ready.length)
    for (const node of all) {
      if (node.metadata.deletionTimestamp) continue
      const current = silent.includes(node) ? await this.#declareSilent(node, signal) : node
      await this.#taint(current, disruption, signal)
      if (!isReady(current)) await this.#markPodsNotReady(current, signal)
      await this.#evict(current, signal)
    }
    for (const name of this.#heard.keys()) if (!this.#nodes.lister.get(name)) this.#heard.delete(name)
  }

  #isSilent(node: Node): boolean {
    const { clock } = this.#manager
    const heard = this.#heard.get(node.metadata.name)
    if (!heard) this.#heard.set(node.metadata.name, { renewTime: '', atMs: clock.monotonic() })
    return heard !== undefined && clock.monotonic() - heard.atMs > this.#options.gracePeriodMs
  }

  async #declareSilent(node: Node, signal: AbortSignal): Promise<Node> {
    const conditions = silentConditions(node, this.#now())
    if (!conditions) return node
    this.#recorder.event(
      { apiVersion: 'v1', kind: 'Node', ...node },
      'Normal',
      'NodeNotReady',
      `Node ${node.metadata.name} status is now: NodeNotReady`,
    )
    return await this.#manager.client
      .of(nodes)
      .patch(node.metadata.name, { status: { conditions } }, { type: 'merge', subresource: 'status', signal })
  }

  async #taint(node: Node, disruption: Disruption, signal: AbortSignal): Promise<void> {
    const taints = plannedTaints(node, { disruption, now: this.#now() })
    if (!taints) return
    const { name, resourceVersion } = node.metadata
    await this.#manager.client
      .of(nodes)
      .patch(name, { metadata: { resourceVersion }, spec: { taints } }, { type: 'merge', signal })
      .catch((error: unknown) => (isStatus(error, 'Conflict', 'NotFound') ? undefined : Promise.reject(error)))
  }

  /** Pods of a node that is not ready must not get traffic. */
  async #markPodsNotReady(node: Node, signal: AbortSignal): Promise<void> {
    for (const pod of this.#pods.lister.byIndex(BY_NODE, node.metadata.name)) {
      const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready')
      if (ready?.status !== 'True') continue
      const conditions = (pod.status?.conditions ?? []).map((condition) =>
        condition.type === 'Ready' ? { ...condition, status: 'False', reason: 'NodeNotReady', lastTransitionTime: this.#now() } : condition,
      )
      const { name, namespace, uid } = pod.metadata
      await this.#manager.client
        .of(pods)
        .patch(name, { metadata: { uid }, status: { conditions } }, { type: 'merge', namespace, subresource: 'status', signal })
        .catch(ignoreGone)
    }
  }

  async #evict(node: Node, signal: AbortSignal): Promise<void> {
    const taints = (this.#nodes.lister.get(node.metadata.name) ?? node).spec?.taints ?? []
    const nowMs = this.#manager.clock.now()
    if (!taints.some((taint) => taint.effect === 'NoExecute')) return void this.#taintSeen.delete(node.metadata.name)
    const seenAtMs = this.#taintSeen.get(node.metadata.name) ?? nowMs
    this.#taintSeen.set(node.metadata.name, seenAtMs)
    for (const pod of this.#pods.lister.byIndex(BY_NODE, node.metadata.name)) {
      if (pod.metadata.deletionTimestamp || podPhaseIsTerminal(pod.status?.phase)) continue
      const at = evictionTimeMs(pod, taints, seenAtMs)
      if (at === undefined || at > nowMs) continue
      const { name, namespace, uid } = pod.metadata
      this.#recorder.event(
        { apiVersion: 'v1', kind: 'Pod', ...pod },
        'Normal',
        'TaintManagerEviction',
        `Marking for deletion Pod ${namespace}/${name}`,
      )
      await this.#manager.client
        .of(pods)
        .delete(name, { namespace, preconditions: { uid: uid ?? '' }, signal })
        .catch(ignoreGone)
    }
  }

  /** Milliseconds until the next pod has to leave a tainted node. */
  #nextEvictionMs(): number {
    const nowMs = this.#manager.clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const [name, seenAtMs] of this.#taintSeen) {
      const taints = this.#nodes.lister.get(name)?.spec?.taints ?? []
      for (const pod of this.#pods.lister.byIndex(BY_NODE, name)) {
        const at = pod.metadata.deletionTimestamp ? undefined : evictionTimeMs(pod, taints, seenAtMs)
        if (at !== undefined) next = Math.min(next, Math.max(100, at - nowMs))
      }
    }
    return next
  }

  #now(): string {
    return new Date(this.#manager.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}

const isReady = (node: Node): boolean =>
  node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false

function ignoreGone(error: unknown): undefined {
  if (isStatus(error, 'NotFound', 'Conflict')) return undefined
  throw error
}
