import { timestamp } from '../../../base/timestamp.ts'
import { sleep } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Node, Pod, PodCondition } from '../../../api/generated/types.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { podPhaseIsTerminal } from '../../../api/pod-status.ts'
import type { Informer } from '../../../client/cache.ts'
import type { Manager } from '../../../controller/contract.ts'

export interface PodGcOptions {
  /** Finished pods that may stay. Default 12,500, as upstream. */
  readonly terminatedThreshold?: number
  /** Default 20 s. */
  readonly intervalMs?: number
  /** A node must have been missing for this long before its pods are given up. Default 40 s. */
  readonly missingNodeMs?: number
}

export interface PodGcPlan {
  readonly remove: readonly Pod[]
  /** Those of `remove` whose node is gone: they must be told to have failed first, nobody else will. */
  readonly lost: ReadonlySet<Pod>
}

/**
 * Which pods nobody will ever clean up. Pure. Source: kubernetes/pkg/controller/podgc.
 * - finished ones beyond the threshold, oldest first
 * - those bound to a node that has been missing for long
 * - those deleted before they were ever scheduled
 */
export function planPodGc(
  all: readonly Pod[],
  context: { readonly threshold: number; readonly missingNodes: ReadonlySet<string> },
): PodGcPlan {
  const finished = all.filter((pod) => podPhaseIsTerminal(pod.status?.phase)).sort(olderFirst)
  const remove = new Set<Pod>(finished.slice(0, Math.max(0, finished.length - context.threshold)))
  const lost = new Set<Pod>()
  for (const pod of all) {
    if (pod.spec?.nodeName && context.missingNodes.has(pod.spec.nodeName)) {
      remove.add(pod)
      if (!podPhaseIsTerminal(pod.status?.phase)) lost.add(pod)
    }
    if (!pod.spec?.nodeName && pod.metadata.deletionTimestamp) remove.add(pod)
  }
  return { remove: [...remove], lost }
}

function olderFirst(a: Pod, b: Pod): number {
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  return left < right ? -1 : left > right ? 1 : a.metadata.name < b.metadata.name ? -1 : 1
}

export function addPodGc(manager: Manager, options: PodGcOptions = {}): void {
  const collector = new PodGc(manager, options)
  manager.addTask('pod-garbage-collector', (signal) => collector.run(signal))
}

class PodGc {
  readonly #manager: Manager
  readonly #options: PodGcOptions
  readonly #pods: Informer<Pod>
  readonly #nodes: Informer<Node>
  readonly #missingSince = new Map<string, number>()

  constructor(manager: Manager, options: PodGcOptions) {
    this.#manager = manager
    this.#options = options
    this.#pods = manager.informers.informer(pods)
    this.#nodes = manager.informers.informer(nodes)
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#manager.clock, this.#options.intervalMs ?? 20_000, signal).catch(() => {})
      if (signal.aborted) return
      const all = this.#pods.lister.list()
      const missingNodes = await this.#longMissing(all, signal)
      const { remove, lost } = planPodGc(all, { threshold: this.#options.terminatedThreshold ?? 12_500, missingNodes })
      for (const pod of remove) {
        if (signal.aborted) return
        await this.#remove(pod, lost.has(pod), signal)
      }
    }
  }

  async #remove(pod: Pod, isLost: boolean, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid = '' } = pod.metadata
    const api = this.#manager.client.of(pods)
    try {
      if (isLost) {
        const patch = { metadata: { uid }, status: { phase: 'Failed', conditions: [nodeGone(this.#manager.clock.now())] } }
        await api.patch(name, patch, { type: 'strategic', namespace, subresource: 'status', signal })
      }
      await api.delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid }, signal })
    } catch (error) {
      if (!isStatus(error, 'NotFound', 'Conflict') && !signal.aborted)
        this.#manager.log.warn('pod could not be collected', { pod: name, namespace, error: messageOf(error) })
    }
  }

  /** Nodes that pods name and that have been missing for long; asked for once more before they are believed to be gone. */
  async #longMissing(all: readonly Pod[], signal: AbortSignal): Promise<Set<string>> {
    const now = this.#manager.clock.monotonic()
    const since = this.#missingSince
    const exists = (name: string): boolean => this.#nodes.lister.get(name) !== undefined
    const bound = new Set(all.map((pod) => pod.spec?.nodeName).filter((name): name is string => Boolean(name)))
    for (const name of since.keys()) if (!bound.has(name) || exists(name)) since.delete(name)
    for (const name of bound) if (!exists(name) && !since.has(name)) since.set(name, now)
    const gone = new Set<string>()
    for (const [name, at] of since) {
      if (now - at >= (this.#options.missingNodeMs ?? 40_000) && (await this.#isGone(name, signal))) gone.add(name)
    }
    return gone
  }

  async #isGone(node: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#manager.client.of(nodes).get(node, { signal })
      return false
    } catch (error) {
      return isStatus(error, 'NotFound')
    }
  }
}

function nodeGone(nowMs: number): PodCondition {
  return {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    lastTransitionTime: timestamp(nowMs),
  }
}
