import { sleep } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Pod } from '../../../api/generated/types.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { podPhaseIsTerminal } from '../../../api/pod-status.ts'
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
  const finished = all
    .filter((pod) => podPhaseIsTerminal(pod.status?.phase))
    .sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''))
  const remove = new Set<Pod>(finished.slice(0, Math.max(0, finished.length - context.threshold)))
  for (const pod of all) {
    if (pod.spec?.nodeName && context.missingNodes.has(pod.spec.nodeName)) remove.add(pod)
    if (!pod.spec?.nodeName && pod.metadata.deletionTimestamp) remove.add(pod)
  }
  return { remove: [...remove] }
}

export function addPodGc(manager: Manager, options: PodGcOptions = {}): void {
  const podInformer = manager.informers.informer(pods)
  const nodeInformer = manager.informers.informer(nodes)
  const { clock, log } = manager
  manager.addTask('pod-garbage-collector', async (signal) => {
    const missingSince = new Map<string, number>()
    while (!signal.aborted) {
      await sleep(clock, options.intervalMs ?? 20_000, signal).catch(() => {})
      if (signal.aborted) return
      const all = podInformer.lister.list()
      const missingNodes = longMissing(all, missingSince, (name) => nodeInformer.lister.get(name) !== undefined)
      const { remove } = planPodGc(all, { threshold: options.terminatedThreshold ?? 12_500, missingNodes })
      for (const pod of remove) {
        try {
          await manager.client
            .of(pods)
            .delete(pod.metadata.name, {
              namespace: pod.metadata.namespace,
              gracePeriodSeconds: 0,
              preconditions: { uid: pod.metadata.uid ?? '' },
              signal,
            })
        } catch (error) {
          if (!isStatus(error, 'NotFound', 'Conflict') && !signal.aborted)
            log.warn('pod could not be collected', { pod: pod.metadata.name, namespace: pod.metadata.namespace, error: messageOf(error) })
        }
      }
    }
  })

  function longMissing(all: readonly Pod[], since: Map<string, number>, exists: (name: string) => boolean): Set<string> {
    const now = clock.monotonic()
    const bound = new Set(all.map((pod) => pod.spec?.nodeName).filter((name): name is string => Boolean(name)))
    for (const name of since.keys()) if (!bound.has(name) || exists(name)) since.delete(name)
    for (const name of bound) if (!exists(name) && !since.has(name)) since.set(name, now)
    return new Set([...since].filter(([, at]) => now - at >= (options.missingNodeMs ?? 40_000)).map(([name]) => name))
  }
}
