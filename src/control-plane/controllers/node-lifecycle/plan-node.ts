import type { Node, NodeCondition, Pod, Taint } from '../../../api/generated/types.ts'

export const NOT_READY = 'node.kubernetes.io/not-ready'
export const UNREACHABLE = 'node.kubernetes.io/unreachable'

/** What the cluster as a whole looks like: decides whether a silent node is believed to be dead. */
export type Disruption = 'none' | 'partial' | 'full'

/**
 * When most nodes fall silent at once it is the network or ourselves, not they. Full: none is ready; partial: 55 % or
 * more and at least three are not. Source: kubernetes/pkg/controller/nodelifecycle ComputeZoneState, --unhealthy-zone-threshold.
 */
export function disruptionOf(ready: number, notReady: number): Disruption {
  if (ready === 0 && notReady > 0) return 'full'
  return notReady > 2 && notReady / (ready + notReady) >= 0.55 ? 'partial' : 'none'
}

/** Conditions of a node that has not been heard of for too long; undefined when they say so already. */
export function silentConditions(node: Node, now: string): NodeCondition[] | undefined {
  const current = node.status?.conditions ?? []
  const types = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']
  if (types.every((type) => current.find((condition) => condition.type === type)?.status === 'Unknown')) return undefined
  const silent = types.map((type): NodeCondition => {
    const before = current.find((condition) => condition.type === type)
    const never = before === undefined
    return {
      ...before,
      type,
      status: 'Unknown',
      reason: never ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message: never ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
      lastTransitionTime: before?.status === 'Unknown' ? before.lastTransitionTime : now,
    }
  })
  return [...silent, ...current.filter((condition) => !types.includes(condition.type))]
}

/**
 * The taints a node should carry: not-ready or unreachable by its Ready condition; NoExecute (which evicts) only while
 * the cluster is not disrupted. Taints of others stay. Undefined when nothing changes.
 */
export function plannedTaints(node: Node, options: { readonly disruption: Disruption; readonly now: string }): Taint[] | undefined {
  const current = node.spec?.taints ?? []
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status
  const key = ready === 'True' ? undefined : ready === 'False' ? NOT_READY : UNREACHABLE
  const effects = key === undefined ? [] : options.disruption === 'none' ? ['NoSchedule', 'NoExecute'] : ['NoSchedule']
  const ours = (taint: Taint): boolean => taint.key === NOT_READY || taint.key === UNREACHABLE
  const wanted = effects.map(
    (effect): Taint =>
      current.find((taint) => taint.key === key && taint.effect === effect) ?? {
        key: key as string,
        effect,
        ...(effect === 'NoExecute' ? { timeAdded: options.now } : {}),
      },
  )
  const same = current.filter(ours).length === wanted.length && wanted.every((taint) => current.includes(taint))
  return same ? undefined : [...current.filter((taint) => !ours(taint)), ...wanted]
}

/**
 * When a pod has to leave a node with these NoExecute taints: ms since 1970, 0 for at once, undefined for never.
 * Source: kubernetes/pkg/controller/tainteviction.
 */
export function evictionTimeMs(pod: Pod, taints: readonly Taint[], seenAtMs: number): number | undefined {
  const evicting = taints.filter((taint) => taint.effect === 'NoExecute')
  if (evicting.length === 0) return undefined
  let earliest: number | undefined
  for (const taint of evicting) {
    const covering = (pod.spec?.tolerations ?? []).filter(
      (toleration) =>
        (!toleration.effect || toleration.effect === 'NoExecute') &&
        (toleration.key ? toleration.key === taint.key : toleration.operator === 'Exists') &&
        (toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')),
    )
    if (covering.length === 0) return 0
    const limits = covering.map((toleration) => toleration.tolerationSeconds).filter((seconds) => seconds !== undefined)
    if (limits.length === 0) continue
    const since = taint.timeAdded ? Date.parse(taint.timeAdded) : seenAtMs
    const at = since + Math.max(0, Math.min(...limits)) * 1000
    earliest = Math.min(earliest ?? at, at)
  }
  return earliest
}
