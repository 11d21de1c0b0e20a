import { isStatus } from '../base/errors.ts'
import { sleep, type Clock } from '../base/clock.ts'
import { silentLogger } from '../base/log.ts'
import { timestamp, microTimestamp } from '../base/timestamp.ts'
import { findCondition } from '../api/conditions.ts'
import { leases } from '../api/coordination/v1/lease.ts'
import { nodes } from '../api/core/v1/node.ts'
import { pods } from '../api/core/v1/pod.ts'
import type { Lease, Node, Pod } from '../api/generated/types.ts'
import { keyOf } from '../api/meta/object.ts'
import { podPhaseIsTerminal } from '../api/pod-status.ts'
import type { Informer } from '../client/cache.ts'
import type { Client } from '../client/client.ts'
import { createInformerFactory, type RunnableInformerFactory } from '../client/informer-factory.ts'

export interface FakeKubeletOptions {
  readonly client: Client
  readonly clock: Clock
  /** Which pods become ready once they run. Default: all. May change its mind: see `recheck`. */
  readonly isReady?: (pod: Pod) => boolean
  /** From the order to end a pod to its end. Default 0. */
  readonly terminationMs?: number
}

export interface FakeNodeOptions {
  readonly labels?: Record<string, string>
  readonly spec?: Node['spec']
  /** Default `{ cpu: '8', memory: '16Gi', pods: '110' }`. */
  readonly allocatable?: Record<string, string>
}

const RENEW_MS = 10_000

/**
 * The nodes of a test: pods bound to a live node run at once and become ready, deleted ones end, Leases are renewed every
 * 10 s. A node that is killed does none of this. No containers, no probes, no restarts.
 */
export class FakeKubelet {
  readonly #options: FakeKubeletOptions
  readonly #informers: RunnableInformerFactory
  readonly #pods: Informer<Pod>
  readonly #live = new Set<string>()
  readonly #working = new Set<Promise<unknown>>()
  #addresses = 0

  constructor(options: FakeKubeletOptions) {
    this.#options = options
    this.#informers = createInformerFactory({ ...options, random: () => 0, log: silentLogger })
    this.#pods = this.#informers.informer(pods)
    this.#pods.addHandler({ add: (pod) => this.#look(pod), update: (pod) => this.#look(pod) })
  }

  async run(signal: AbortSignal): Promise<void> {
    const renewing = this.#renew(signal)
    await this.#informers.run(signal)
    await renewing
    await Promise.allSettled(this.#working)
  }

  async addNode(name: string, options: FakeNodeOptions = {}): Promise<Node> {
    const { client, clock } = this.#options
    const { labels, spec, allocatable = { cpu: '8', memory: '16Gi', pods: '110' } } = options
    const node = await client
      .of(nodes)
      .create({ metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } }, ...(spec ? { spec } : {}) })
    const now = timestamp(clock.now())
    const condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: now, lastTransitionTime: now }
    const ready = await client.of(nodes).updateStatus({ ...node, status: { allocatable, capacity: allocatable, conditions: [condition] } })
    this.#live.add(name)
    await this.#renewLease(name)
    return ready
  }

  /** The node falls silent, and its pods are left as they are. */
  kill(name: string): void {
    this.#live.delete(name)
  }

  /** The node is back and says that it is ready. */
  async revive(name: string): Promise<void> {
    const { client, clock } = this.#options
    this.#live.add(name)
    await this.#renewLease(name)
    const now = timestamp(clock.now())
    const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: now, lastTransitionTime: now }]
    await client.of(nodes).patch(name, { status: { conditions } }, { type: 'strategic', subresource: 'status' })
    this.recheck()
  }

  /** Asks `isReady` again of every pod. */
  recheck(): void {
    for (const pod of this.#pods.lister.list()) this.#look(pod)
  }

  #look(pod: Pod): void {
    if (!this.#live.has(pod.spec?.nodeName ?? '')) return
    const work = (pod.metadata.deletionTimestamp ? this.#end(pod) : this.#start(pod))
      .catch(ignoreGone)
      .finally(() => this.#working.delete(work))
    this.#working.add(work)
  }

  async #start(pod: Pod): Promise<void> {
    if (podPhaseIsTerminal(pod.status?.phase)) return
    const { client, clock, isReady = () => true } = this.#options
    const status = isReady(pod) ? 'True' : 'False'
    if (pod.status?.phase === 'Running' && findCondition(pod.status.conditions, 'Ready')?.status === status) return
    const { name, namespace, uid } = pod.metadata
    const podIP = pod.status?.podIP ?? `10.0.${this.#addresses >> 8}.${this.#addresses++ & 255}`
    const condition = { type: 'Ready', status, lastTransitionTime: timestamp(clock.now()) }
    const patch = { metadata: { uid }, status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions: [condition] } }
    await client.of(pods).patch(name, patch, { type: 'strategic', namespace, subresource: 'status' })
  }

  async #end(pod: Pod): Promise<void> {
    const { client, clock, terminationMs = 0 } = this.#options
    const { name, namespace, uid = '' } = pod.metadata
    if (terminationMs > 0) await sleep(clock, terminationMs)
    // only finalizers hold it now
    if (this.#pods.lister.get(keyOf(pod))?.metadata.deletionGracePeriodSeconds === 0) return
    await client.of(pods).delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } })
  }

  async #renew(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const name of this.#live) await this.#renewLease(name)
      await sleep(this.#options.clock, RENEW_MS, signal).catch(() => {})
    }
  }

  async #renewLease(name: string): Promise<void> {
    const { client, clock } = this.#options
    const namespace = 'kube-node-lease'
    const spec: Lease['spec'] = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTimestamp(clock.now()) }
    try {
      await client.of(leases).patch(name, { spec }, { type: 'merge', namespace })
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error
      await client.of(leases).create({ metadata: { name, namespace }, spec })
    }
  }
}

function ignoreGone(error: unknown): void {
  if (!isStatus(error, 'NotFound', 'Conflict')) throw error
}
