import { timestamp } from '../../base/timestamp.ts'
import { isStatus, messageOf } from '../../base/errors.ts'
import type { Node, Pod } from '../../api/generated/types.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { findCondition } from '../../api/conditions.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import { podPhaseIsTerminal } from '../../api/pod-status.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Informer } from '../../client/cache.ts'
import type { EventRecorder, Manager } from '../../controller/contract.ts'
import { ClusterCache } from './cluster-cache.ts'
import { decideNode, FilterCache } from './decide-node.ts'
import { defaultProfile } from './default-profile.ts'
import type { ClusterEvent, Profile } from './framework.ts'
import type { NodeInfo } from './node-info.ts'
import { podInfo, type PodInfo } from './pod-info.ts'
import { SchedulingQueue, type QueuedPod } from './scheduling-queue.ts'

export interface SchedulerOptions {
  /** 0 <= x < 1: breaks ties between equally good nodes. */
  readonly random: () => number
  /** Default: `defaultProfile`. */
  readonly profile?: Profile
  /** Bindings on their way at once; decisions go on meanwhile. Default 64. */
  readonly maxBindings?: number
}

/** Decisions made before other work of the process gets a turn. */
const BATCH = 32
/** An event lives for an hour: a pod that still waits for the same reason is told of again in time. */
const TELL_AGAIN_MS = 30 * 60_000

/**
 * Adds the scheduler to a manager: every pod without a node gets the best one that takes it. Decisions are made one
 * after the other on an own picture of the cluster; bindings are written in parallel behind them.
 */
export function addScheduler(manager: Manager, options: SchedulerOptions): void {
  const scheduler = new Scheduler(manager, options)
  scheduler.follow()
  manager.addTask('scheduler', (signal) => scheduler.run(signal))
}

class Scheduler {
  readonly #manager: Manager
  readonly #profile: Profile
  readonly #random: () => number
  readonly #maxBindings: number
  readonly #recorder: EventRecorder
  readonly #pods: Informer<Pod>
  readonly #cluster = new ClusterCache()
  readonly #filterCache = new FilterCache()
  readonly #queue: SchedulingQueue
  readonly #metrics: ReturnType<typeof schedulerMetrics>
  /** What was told last about each pod that waits, and when. */
  readonly #told = new Map<string, { readonly message: string; readonly atMs: number }>()
  /** Bindings and conditions on their way to the API server. */
  readonly #writes = new Set<Promise<void>>()
  #wake: (() => void) | undefined

  constructor(manager: Manager, options: SchedulerOptions) {
    this.#manager = manager
    this.#pods = manager.informers.informer(pods)
    this.#profile = options.profile ?? defaultProfile(manager.client)
    this.#random = options.random
    this.#maxBindings = options.maxBindings ?? 64
    this.#recorder = manager.recorder(this.#profile.schedulerName)
    this.#queue = new SchedulingQueue(new Map(this.#profile.filters.map((filter) => [filter.name, filter.requeueOn])))
    this.#metrics = schedulerMetrics(manager.metrics)
    const pending = manager.metrics.gauge('scheduler_pending_pods', 'Number of pending pods, by the queue type', ['queue'])
    manager.metrics.onRender(() => {
      for (const [queue, size] of Object.entries(this.#queue.sizes)) pending.with(queue).set(size)
    })
  }

  follow(): void {
    const { informers } = this.#manager
    informers.informer(nodes).addHandler({
      add: (node) => this.#nodeChanged(node),
      update: (next, previous) => this.#nodeChanged(next, previous),
      delete: (node) => this.#cluster.removeNode(node.metadata.name),
    })
    informers.informer(pods).addHandler({
      add: (pod) => this.#podChanged(pod),
      update: (next, previous) => this.#podChanged(next, previous),
      delete: (pod) => this.#podGone(pod),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#manager
    const wake = (): void => this.#wake?.()
    signal.addEventListener('abort', wake)
    while (!signal.aborted) {
      const next = this.#queue.flush(clock.monotonic())
      for (let i = 0; i < BATCH && this.#writes.size < this.#maxBindings; i++) {
        const pod = this.#queue.pop()
        if (!pod) break
        this.#schedule(pod, signal)
      }
      if (this.#writes.size >= this.#maxBindings) await Promise.race(this.#writes)
      else if (this.#queue.sizes.active > 0) await new Promise<void>((resolve) => setImmediate(resolve))
      else await this.#idle(next)
    }
    signal.removeEventListener('abort', wake)
    await Promise.all(this.#writes)
  }

  /** Until something changes or the next waiting pod is due. */
  async #idle(nextMs: number | undefined): Promise<void> {
    const { clock } = this.#manager
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    const timer = nextMs === undefined ? undefined : clock.after(Math.max(1, nextMs - clock.monotonic()), () => this.#wake?.())
    await woken
    timer?.cancel()
  }

  #schedule(queued: QueuedPod, signal: AbortSignal): void {
    const { clock } = this.#manager
    const begin = clock.monotonic()
    const { info } = queued
    const deps = { profile: this.#profile, filterCache: this.#filterCache, random: this.#random }
    const decision = decideNode(info, this.#cluster, deps)
    const { schedulerName } = this.#profile
    const result = decision.node ? 'scheduled' : 'unschedulable'
    this.#metrics.attemptSeconds.with(result, schedulerName).observe((clock.monotonic() - begin) / 1000)
    this.#metrics.attempts.with(result, schedulerName).inc()
    if (!decision.node) {
      this.#queue.failed(queued, decision.rejectedBy, clock.monotonic())
      return this.#write(this.#reportUnschedulable(info, decision.message, signal))
    }
    const refusedBy = this.#reserve(info, decision.node)
    if (refusedBy !== undefined) return this.#queue.failed(queued, new Set([refusedBy]), clock.monotonic())
    this.#cluster.assume(info, decision.node.name)
    this.#write(this.#bind(queued, decision.node.name, signal))
  }

  /** @returns the plugin that refused, after those before it have given back what they claimed */
  #reserve(info: PodInfo, node: NodeInfo): string | undefined {
    const { reserves } = this.#profile
    for (const [index, plugin] of reserves.entries()) {
      if (plugin.reserve(info, node) === undefined) continue
      for (const earlier of reserves.slice(0, index).toReversed()) earlier.unreserve(info, node)
      return plugin.name
    }
    return undefined
  }

  /** @param write must not reject */
  #write(write: Promise<void>): void {
    const entry = write.finally(() => this.#writes.delete(entry))
    this.#writes.add(entry)
  }

  async #bind(queued: QueuedPod, nodeName: string, signal: AbortSignal): Promise<void> {
    const { info } = queued
    const { clock, log } = this.#manager
    try {
      await this.#profile.bind.bind(info, nodeName, signal)
      this.#queue.done(info.uid)
      this.#recorder.event(info.pod, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${nodeName}`)
      this.#metrics.sliSeconds.with(String(Math.min(queued.attempts, 15))).observe((clock.monotonic() - queued.addedAtMs) / 1000)
    } catch (error) {
      this.#cluster.forget(info.uid)
      const node = this.#cluster.get(nodeName)
      if (node) for (const plugin of this.#profile.reserves) plugin.unreserve(info, node)
      if (signal.aborted) return
      // what it would have taken is free again
      this.#queue.event('PodDeleted', clock.monotonic())
      this.#wake?.()
      if (isStatus(error, 'NotFound')) return this.#queue.done(info.uid)
      log.warn('binding failed', { pod: info.key, node: nodeName, error: messageOf(error) })
      this.#queue.retry(queued, clock.monotonic())
    }
  }

  /** Tells why a pod waits, not again with every attempt but when the reason changes. Never rejects. */
  async #reportUnschedulable(info: PodInfo, message: string, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#manager
    // the pod as it was queued does not have the condition of the last attempt
    const pod = this.#pods.lister.get(info.key) ?? info.pod
    const told = this.#told.get(info.uid)
    if (told?.message !== message || clock.monotonic() - told.atMs >= TELL_AGAIN_MS) {
      this.#told.set(info.uid, { message, atMs: clock.monotonic() })
      this.#recorder.event(pod, 'Warning', 'FailedScheduling', message)
    }
    const before = findCondition(pod.status?.conditions, 'PodScheduled')
    if (before?.status === 'False' && before.reason === 'Unschedulable' && before.message === message) return
    const lastTransitionTime = before?.status === 'False' ? before.lastTransitionTime : timestamp(clock.now())
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime }
    const { name, namespace } = pod.metadata
    try {
      // by strategic merge: other conditions stay as they are
      await client
        .of(pods)
        .patch(
          name,
          { metadata: { uid: info.uid }, status: { conditions: [condition] } },
          { type: 'strategic', namespace, subresource: 'status', signal },
        )
    } catch (error) {
      if (!signal.aborted && !isStatus(error, 'NotFound', 'Conflict'))
        log.debug('pod condition not written', { pod: info.key, error: messageOf(error) })
    }
  }

  #nodeChanged(node: Node, previous?: Node): void {
    if (previous && !matters(node, previous)) return
    this.#cluster.setNode(node)
    this.#emit(previous ? 'NodeChanged' : 'NodeAdded')
  }

  #podChanged(pod: Pod, previous?: Pod): void {
    const { clock } = this.#manager
    const uid = pod.metadata.uid ?? ''
    if (podPhaseIsTerminal(pod.status?.phase)) return this.#podGone(pod)
    const sameSpec = previous !== undefined && previous.metadata.generation === pod.metadata.generation
    if (pod.spec?.nodeName) {
      this.#cluster.addPod(pod, sameSpec)
      this.#queue.remove(uid)
      this.#told.delete(uid)
      // a resize may have made room
      if (previous?.spec?.nodeName && !sameSpec) this.#emit('PodChanged')
      return
    }
    if (pod.metadata.deletionTimestamp || (pod.spec?.schedulerName ?? 'default-scheduler') !== this.#profile.schedulerName)
      return this.#queue.remove(uid)
    if ((pod.spec?.schedulingGates ?? []).length > 0) return
    // our own condition coming back is no reason to try again
    if ((sameSpec && deepEqual(previous.metadata.labels, pod.metadata.labels)) || this.#cluster.isPlaced(uid)) return
    this.#queue.add(podInfo(pod), clock.monotonic())
    this.#wake?.()
  }

  #podGone(pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    this.#queue.remove(uid)
    this.#told.delete(uid)
    if (!this.#cluster.isPlaced(uid)) return
    this.#cluster.removePod(uid)
    this.#emit('PodDeleted')
  }

  #emit(event: ClusterEvent): void {
    this.#queue.event(event, this.#manager.clock.monotonic())
    this.#wake?.()
  }
}

/** Heartbeats change a node's conditions all the time; scheduling looks at these parts only. */
function matters(next: Node, previous: Node): boolean {
  const parts = (node: Node): unknown => [
    node.spec,
    node.metadata.labels,
    node.status?.allocatable,
    node.status?.conditions?.map((condition) => [condition.type, condition.status]),
  ]
  return !deepEqual(parts(next), parts(previous))
}

function schedulerMetrics(metrics: Metrics): {
  readonly attempts: ReturnType<Metrics['counter']>
  readonly attemptSeconds: ReturnType<Metrics['histogram']>
  readonly sliSeconds: ReturnType<Metrics['histogram']>
} {
  return {
    attempts: metrics.counter('scheduler_schedule_attempts_total', 'Number of attempts to schedule pods, by the result', [
      'result',
      'profile',
    ]),
    attemptSeconds: metrics.histogram('scheduler_scheduling_attempt_duration_seconds', 'Scheduling attempt latency in seconds', [
      'result',
      'profile',
    ]),
    sliSeconds: metrics.histogram(
      'scheduler_pod_scheduling_sli_duration_seconds',
      'E2e latency for a pod being scheduled, from first attempt',
      ['attempts'],
    ),
  }
}
