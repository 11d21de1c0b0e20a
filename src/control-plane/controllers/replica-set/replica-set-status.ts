import { timestamp } from '../../../base/timestamp.ts'
import type { Pod, ReplicaSet, ReplicaSetStatus } from '../../../api/generated/types.ts'
import { removeCondition, setCondition } from '../../../api/conditions.ts'
import { isPodAvailable, isPodReady } from '../../../api/pod-status.ts'

/** The status that `pods` (active and claimed) amount to. @param failure why the last creation or deletion failed */
export function replicaSetStatus(
  set: ReplicaSet,
  pods: readonly Pod[],
  context: {
    readonly nowMs: number
    readonly terminating: number
    readonly failure?: { readonly reason: string; readonly message: string }
  },
): ReplicaSetStatus {
  const labels = Object.entries(set.spec?.template?.metadata?.labels ?? {})
  const minReady = set.spec?.minReadySeconds ?? 0
  const ready = pods.filter(isPodReady)
  const now = timestamp(context.nowMs)
  const conditions = context.failure
    ? setCondition(set.status?.conditions, { type: 'ReplicaFailure', status: 'True', ...context.failure }, now)
    : removeCondition(set.status?.conditions, 'ReplicaFailure')
  return {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) => labels.every(([key, value]) => pod.metadata.labels?.[key] === value)).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, minReady, context.nowMs)).length,
    terminatingReplicas: context.terminating,
    observedGeneration: set.metadata.generation,
    ...(conditions.length > 0 ? { conditions: [...conditions] } : {}),
  }
}

/** Milliseconds until the next ready pod has been ready for minReadySeconds, if one is on its way there. */
export function nextAvailableInMs(set: ReplicaSet, pods: readonly Pod[], nowMs: number): number | undefined {
  const minReady = set.spec?.minReadySeconds ?? 0
  if (minReady === 0) return undefined
  const waits = pods
    .filter((pod) => isPodReady(pod) && !isPodAvailable(pod, minReady, nowMs))
    .map(
      (pod) =>
        Date.parse(pod.status?.conditions?.find((condition) => condition.type === 'Ready')?.lastTransitionTime ?? '') +
        minReady * 1000 -
        nowMs,
    )
  return waits.length > 0 ? Math.max(100, Math.min(...waits)) : undefined
}
