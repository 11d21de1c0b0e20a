import { timestamp } from '../../../base/timestamp.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Lease, Node, NodeCondition, Pod, PodCondition } from '../../../api/generated/types.ts'
import { leases } from '../../../api/coordination/v1/lease.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { findCondition } from '../../../api/conditions.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { isPodActive, isPodReady } from '../../../api/pod-status.ts'
import type { Informer } from '../../../client/cache.ts'
import type { EventRecorder, Manager } from '../../../controller/contract.ts'
import { TokenBucket } from '../../../controller/rate-limiter.ts'
import { Heartbeats } from './heartbeats.ts'
import { awaitsEviction, disruptionOf, evictionTimeMs, plannedTaints, silentConditions, type Disruption } from './plan-node.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'

export interface NodeLifecycleOptions {
  /** A node whose Lease is not renewed for this long is NotReady. Default 40,000. */
  readonly gracePeriodMs?: number
  /** Between two looks. Default 5,000. */
  readonly monitorPeriodMs?: number
}

const BY_NODE = 'nodeName'
const NAMESPACE = 'kube-node-lease'
/** Nodes whose pods are evicted, a second: one, then one every 10 s. Source: --node-eviction-rate. */
const EVICTION_RATE = { perSecond: 0.1, burst: 1 }

/** Declares silent nodes NotReady, taints nodes by their condition, evicts pods from tainted nodes, and never many nodes at once. */
export function addNodeLifecycleController(manager: Manager, options: NodeLifecycleOptions = {}): void {
  const controller = new NodeLifecycle(manager, options)
  manager.addTask('node-lifecycle', (signal) => controller.run(signal))
}

class NodeLifecycle {
  readonly #manager: Manager
  readonly #options: Required<NodeLifecycleOptions>
  readonly #nodes: Informer<Node>
  readonly #pods: Informer<Pod>
  readonly #recorder: EventRecorder
  readonly #heartbeats: Heartbeats
  readonly #evictions: TokenBucket
  /** When a NoExecute taint without a time was first seen, by node. */
  readonly #taintSeen = new Map<string, number>()
  /** Nodes that say themselves that they are not ready, and whose pods were told so. */
  readonly #told = new Set<string>()
  #wake: (() => void) | undefined

  constructor(manager: Manager, options: NodeLifecycleOptions) {
    this.#manager = manager
    this.#options = { gracePeriodMs: options.gracePeriodMs ?? 40_000, monitorPeriodMs: options.monitorPeriodMs ?? 5_000 }
    this.#nodes = manager.informers.informer(nodes)
    this.#pods = manager.informers.informer(pods)
    this.#pods.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))
    this.#recorder = manager.recorder('node-controller')
    this.#heartbeats = new Heartbeats(manager.clock)
    this.#evictions = new TokenBucket(manager.clock.monotonic(), EVICTION_RATE)
    const hearLease = (lease: Lease): void => this.#heartbeats.hear(lease.metadata.name, 'lease', lease.spec?.renewTime)
    manager.informers.informer(leases, { namespace: NAMESPACE }).addHandler({ add: hearLease, update: hearLease })
    const hearNode = (node: Node): void => this.#heartbeats.hear(node.metadata.name, 'status', readyOf(node)?.lastHeartbeatTime)
    this.#nodes.addHandler({
      add: hearNode,
      update: (node, previous) => {
        hearNode(node)
        if (looksDifferent(node, previous)) this.#wake?.()
      },
      delete: (node) => this.#heartbeats.forget(node.metadata.name),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#manager
    // a node that was silent while no controller watched gets its whole grace period again
    this.#heartbeats.startAnew()
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    while (!signal.aborted) {
      const changed = new Promise<void>((resolve) => (this.#wake = resolve))
      await this.#look(signal)
      const timer = clock.after(Math.min(this.#options.monitorPeriodMs, this.#nextEvictionMs()), wake)
      await changed
      timer.cancel()
    }
    signal.removeEventListener('abort', wake)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const all = this.#nodes.lister.list().filter((node) => !node.metadata.deletionTimestamp)
    const silent = new Set(all.filter((node) => this.#heartbeats.silentForMs(node.metadata.name) > this.#options.gracePeriodMs))
    const ready = all.filter((node) => !silent.has(node) && isReady(node)).length
    const disruption = disruptionOf(ready, all.length - ready)
    for (const node of all) {
      try {
        await this.#lookAt(node, { silent: silent.has(node), disruption }, signal)
      } catch (error) {
        // what others changed meanwhile, or what the server did not take: the next look tries again
        const { log } = this.#manager
        if (signal.aborted) return
        if (isStatus(error, 'NotFound', 'Conflict')) log.debug('node has changed meanwhile', { node: node.metadata.name })
        else log.warn('node monitoring failed, will be retried', { node: node.metadata.name, error: messageOf(error) })
      }
    }
  }

  async #lookAt(node: Node, state: { readonly silent: boolean; readonly disruption: Disruption }, signal: AbortSignal): Promise<void> {
    const { name } = node.metadata
    const judged = state.silent ? await this.#declareSilent(node, signal) : node
    const tainted = await this.#taint(judged, state.disruption, signal)
    if (isReady(tainted) || !readyOf(tainted)) this.#told.delete(name)
    else if (state.silent || !this.#told.has(name)) {
      // a kubelet that lives may say otherwise afterwards: it is not contradicted again
      await this.#markPodsNotReady(tainted, signal)
      this.#told.add(name)
    }
    await this.#evict(tainted, signal)
  }

  async #declareSilent(node: Node, signal: AbortSignal): Promise<Node> {
    const conditions = silentConditions(node, this.#now())
    if (!conditions) return node
    const { name, resourceVersion } = node.metadata
    const patch = { metadata: { resourceVersion }, status: { conditions } }
    const declared = await this.#manager.client.of(nodes).patch(name, patch, { type: 'merge', subresource: 'status', signal })
    this.#recorder.event(declared, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`)
    return declared
  }

  async #taint(node: Node, disruption: Disruption, signal: AbortSignal): Promise<Node> {
    const mayEvict = disruption === 'none' && (!awaitsEviction(node) || this.#evictions.tryTake(this.#manager.clock.monotonic()))
    const taints = plannedTaints(node, { mayEvict, now: this.#now() })
    if (!taints) return node
    const { name, resourceVersion } = node.metadata
    return await this.#manager.client.of(nodes).patch(name, { metadata: { resourceVersion }, spec: { taints } }, { type: 'merge', signal })
  }

  /** Pods of a node that is not ready must not get traffic. */
  async #markPodsNotReady(node: Node, signal: AbortSignal): Promise<void> {
    for (const pod of this.#pods.lister.byIndex(BY_NODE, node.metadata.name)) {
      if (!isPodReady(pod)) continue
      const condition = { type: 'Ready', status: 'False', reason: 'NodeNotReady', lastTransitionTime: this.#now() }
      if (!(await this.#setPodCondition(pod, condition, signal))) continue
      this.#recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready')
    }
  }

  async #evict(node: Node, signal: AbortSignal): Promise<void> {
    const taints = node.spec?.taints ?? []
    const nowMs = this.#manager.clock.now()
    if (!taints.some((taint) => taint.effect === 'NoExecute')) return void this.#taintSeen.delete(node.metadata.name)
    const seenAtMs = this.#taintSeen.get(node.metadata.name) ?? nowMs
    this.#taintSeen.set(node.metadata.name, seenAtMs)
    for (const pod of this.#pods.lister.byIndex(BY_NODE, node.metadata.name)) {
      const at = isPodActive(pod) ? evictionTimeMs(pod, taints, seenAtMs) : undefined
      if (at === undefined || at > nowMs) continue
      const { name, namespace, uid = '' } = pod.metadata
      this.#recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`)
      const message = 'Taint manager: deleting due to NoExecute taint'
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message,
        lastTransitionTime: this.#now(),
      }
      await this.#setPodCondition(pod, condition, signal)
      await this.#manager.client.of(pods).delete(name, { namespace, preconditions: { uid }, signal }).catch(ignoreGone)
    }
  }

  /** @returns the pod, or undefined when it has gone meanwhile */
  async #setPodCondition(pod: Pod, condition: PodCondition, signal: AbortSignal): Promise<Pod | undefined> {
    const { name, namespace, uid } = pod.metadata
    return await this.#manager.client
      .of(pods)
      .patch(
        name,
        { metadata: { uid }, status: { conditions: [condition] } },
        { type: 'strategic', namespace, subresource: 'status', signal },
      )
      .catch(ignoreGone)
  }

  /** Milliseconds until the next pod has to leave a tainted node. */
  #nextEvictionMs(): number {
    const nowMs = this.#manager.clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const [name, seenAtMs] of this.#taintSeen) {
      const taints = this.#nodes.lister.get(name)?.spec?.taints ?? []
      for (const pod of this.#pods.lister.byIndex(BY_NODE, name)) {
        const at = isPodActive(pod) ? evictionTimeMs(pod, taints, seenAtMs) : undefined
        // what is due already was tried just now
        if (at !== undefined && at > nowMs) next = Math.min(next, at - nowMs)
      }
    }
    return next
  }

  #now(): string {
    return timestamp(this.#manager.clock.now())
  }
}

const readyOf = (node: Node): NodeCondition | undefined => findCondition(node.status?.conditions, 'Ready')
const isReady = (node: Node): boolean => readyOf(node)?.status === 'True'

/** Whether something changed that taints or evicts. */
function looksDifferent(next: Node, previous: Node): boolean {
  return (
    next.spec?.unschedulable !== previous.spec?.unschedulable ||
    !deepEqual(next.spec?.taints, previous.spec?.taints) ||
    !deepEqual(
      next.status?.conditions?.map(({ type, status }) => [type, status]),
      previous.status?.conditions?.map(({ type, status }) => [type, status]),
    )
  )
}
