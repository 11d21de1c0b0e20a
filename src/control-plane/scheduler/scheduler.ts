import { sleep } from '../../base/clock.ts'
import { isStatus, messageOf } from '../../base/errors.ts'
import type { Node, Pod } from '../../api/generated/types.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { EventRecorder, Manager } from '../../controller/contract.ts'
import { ClusterCache } from './cluster-cache.ts'
import { decideNode, FilterCache } from './decide-node.ts'
import { defaultProfile } from './default-profile.ts'
import type { Profile } from './framework.ts'
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
  readonly #cluster = new ClusterCache()
  readonly #filterCache = new FilterCache()
  readonly #queue: SchedulingQueue
  readonly #bindings = new Set<Promise<void>>()
  #wake: (() => void) | undefined

  constructor(manager: Manager, options: SchedulerOptions) {
    this.#manager = manager
    this.#profile = options.profile ?? defaultProfile(manager.client)
    this.#random = options.random
    this.#maxBindings = options.maxBindings ?? 64
    this.#recorder = manager.recorder(this.#profile.schedulerName)
    this.#queue = new SchedulingQueue(new Map(this.#profile.filters.map((filter) => [filter.name, filter.requeueOn])))
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
      delete: (node) => {
        this.#cluster.removeNode(node.metadata.name)
        this.#filterCache.forgetNode(node.metadata.name)
      },
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
      for (let i = 0; i < BATCH && this.#bindings.size < this.#maxBindings; i++) {
        const pod = this.#queue.pop()
        if (!pod) break
        this.#schedule(pod, signal)
      }
      if (this.#bindings.size >= this.#maxBindings) await Promise.race(this.#bindings)
      else if (this.#queue.sizes.active > 0) await new Promise<void>((resolve) => setImmediate(resolve))
      else await this.#idle(next, signal)
    }
    signal.removeEventListener('abort', wake)
    await Promise.all(this.#bindings)
  }

  async #idle(nextMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.#manager
    const woken = new Promise<void>((resolve) => (this.#wake = resolve))
    if (nextMs === undefined) return await woken
    const timer = new AbortController()
    await Promise.race([
      woken,
      sleep(clock, Math.max(1, nextMs - clock.monotonic()), AbortSignal.any([signal, timer.signal])).catch(() => {}),
    ])
    timer.abort()
  }

  #schedule(queued: QueuedPod, signal: AbortSignal): void {
    const { clock, metrics } = this.#manager
    const begin = clock.monotonic()
    const attempts = metrics.counter('scheduler_schedule_attempts_total', 'Number of attempts to schedule pods, by the result', [
      'result',
      'profile',
    ])
    const decision = decideNode(queued.info, this.#cluster, {
      profile: this.#profile,
      filterCache: this.#filterCache,
      random: this.#random,
    })
    metrics
      .histogram('scheduler_scheduling_attempt_duration_seconds', 'Scheduling attempt latency in seconds', ['result', 'profile'])
      .with(decision.node ? 'scheduled' : 'unschedulable', this.#profile.schedulerName)
      .observe((clock.monotonic() - begin) / 1000)
    attempts.with(decision.node ? 'scheduled' : 'unschedulable', this.#profile.schedulerName).inc()
    if (!decision.node) {
      this.#queue.failed(queued, decision.rejectedBy, clock.monotonic())
      void this.#reportUnschedulable(queued.info, decision.message, signal)
      return
    }
    const node = decision.node
    for (const plugin of this.#profile.reserves) {
      const refusal = plugin.reserve(queued.info, node)
      if (refusal !== undefined) return this.#queue.failed(queued, new Set([plugin.name]), clock.monotonic())
    }
    this.#cluster.assume(queued.info, node.name)
    const binding = this.#bind(queued, node.name, signal).finally(() => this.#bindings.delete(binding))
    this.#bindings.add(binding)
  }

  async #bind(queued: QueuedPod, nodeName: string, signal: AbortSignal): Promise<void> {
    const { info } = queued
    const { clock, log, metrics } = this.#manager
    try {
      await this.#profile.bind.bind(info, nodeName, signal)
      this.#queue.done(info.uid)
      this.#recorder.event(withKind(info.pod), 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${nodeName}`)
      metrics
        .histogram('scheduler_pod_scheduling_sli_duration_seconds', 'E2e latency for a pod being scheduled, from first attempt', [
          'attempts',
        ])
        .with(String(Math.min(queued.attempts, 15)))
        .observe((clock.monotonic() - queued.addedAtMs) / 1000)
    } catch (error) {
      this.#cluster.forget(info.uid)
      const node = this.#cluster.get(nodeName)
      if (node) for (const plugin of this.#profile.reserves) plugin.unreserve(info, node)
      if (isStatus(error, 'NotFound')) return this.#queue.done(info.uid)
      if (!signal.aborted) log.warn('binding failed', { pod: info.key, node: nodeName, error: messageOf(error) })
      this.#queue.retry(queued, clock.monotonic())
      this.#wake?.()
    }
  }

  async #reportUnschedulable(info: PodInfo, message: string, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#manager
    this.#recorder.event(withKind(info.pod), 'Warning', 'FailedScheduling', message)
    const before = info.pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled')
    if (before?.status === 'False' && before.message === message) return
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime:
        before?.status === 'False' ? before.lastTransitionTime : new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    }
    try {
      await client
        .of(pods)
        .patch(
          info.pod.metadata.name,
          { metadata: { uid: info.uid }, status: { conditions: [condition] } },
          { type: 'strategic', namespace: info.pod.metadata.namespace, subresource: 'status', signal },
        )
    } catch (error) {
      if (!signal.aborted && !isStatus(error, 'NotFound', 'Conflict'))
        log.debug('pod condition not written', { pod: info.key, error: messageOf(error) })
    }
  }

  #nodeChanged(node: Node, previous?: Node): void {
    if (previous && !matters(node, previous)) return
    this.#cluster.setNode(node)
    this.#queue.event(previous ? 'NodeChanged' : 'NodeAdded', this.#manager.clock.monotonic())
    this.#wake?.()
  }

  #podChanged(pod: Pod, previous?: Pod): void {
    const { clock } = this.#manager
    const uid = pod.metadata.uid ?? ''
    if (isOver(pod)) return this.#podGone(pod)
    if (pod.spec?.nodeName) {
      this.#cluster.addPod(pod)
      this.#queue.remove(uid)
      return
    }
    if (pod.metadata.deletionTimestamp || (pod.spec?.schedulerName ?? 'default-scheduler') !== this.#profile.schedulerName)
      return this.#queue.remove(uid)
    if ((pod.spec?.schedulingGates ?? []).length > 0) return
    // our own condition coming back is no reason to try again
    const specChanged =
      !previous ||
      previous.metadata.generation !== pod.metadata.generation ||
      JSON.stringify(previous.metadata.labels) !== JSON.stringify(pod.metadata.labels)
    if (!specChanged || this.#cluster.isPlaced(uid)) return
    this.#queue.add(podInfo(pod), clock.monotonic())
    this.#wake?.()
  }

  #podGone(pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    this.#queue.remove(uid)
    if (!this.#cluster.isPlaced(uid)) return
    this.#cluster.removePod(uid)
    this.#queue.event('PodDeleted', this.#manager.clock.monotonic())
    this.#wake?.()
  }
}

const isOver = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
const withKind = (pod: Pod): Pod => ({ apiVersion: 'v1', kind: 'Pod', ...pod })

/** Heartbeats change a node's conditions all the time; scheduling looks at these parts only. */
function matters(next: Node, previous: Node): boolean {
  const part = (node: Node): string =>
    JSON.stringify([
      node.spec,
      node.metadata.labels,
      node.status?.allocatable,
      node.status?.conditions?.map((condition) => [condition.type, condition.status]),
    ])
  return part(next) !== part(previous)
}
