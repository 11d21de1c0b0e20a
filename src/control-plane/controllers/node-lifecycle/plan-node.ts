import type { Node, NodeCondition, Pod, Taint } from '../../../api/generated/types.ts'
import { tolerates } from '../../scheduler/plugins/tolerations.ts'

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

/** Taints that follow a condition being True. Source: kubernetes/pkg/controller/nodelifecycle nodeConditionToTaintKeyStatusMap. */
const BY_CONDITION: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
}
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable'
const OURS = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(BY_CONDITION)])

/**
 * The taints a node should carry: NoSchedule by its conditions and by `spec.unschedulable`, and NoExecute (which evicts)
 * while it is not ready and `mayEvict`. Taints of others stay. Undefined when nothing changes.
 * Source: kubernetes/pkg/controller/nodelifecycle.
 */
export function plannedTaints(node: Node, options: { readonly mayEvict: boolean; readonly now: string }): Taint[] | undefined {
  const current = node.spec?.taints ?? []
  const wanted = wantedTaints(node, options.mayEvict).map(
    ({ key, effect }): Taint =>
      current.find((taint) => taint.key === key && taint.effect === effect) ?? {
        key,
        effect,
        ...(effect === 'NoExecute' ? { timeAdded: options.now } : {}),
      },
  )
  const ours = current.filter((taint) => OURS.has(taint.key) && taint.effect !== 'PreferNoSchedule')
  const same = ours.length === wanted.length && wanted.every((taint) => current.includes(taint))
  return same ? undefined : [...current.filter((taint) => !ours.includes(taint)), ...wanted]
}

/** Whether a node should carry an evicting taint and does not yet. */
export function awaitsEviction(node: Node): boolean {
  const evicting = wantedTaints(node, true).find((taint) => taint.effect === 'NoExecute')
  return evicting !== undefined && !node.spec?.taints?.some((taint) => taint.key === evicting.key && taint.effect === 'NoExecute')
}

function wantedTaints(node: Node, mayEvict: boolean): { readonly key: string; readonly effect: string }[] {
  const conditions = node.status?.conditions ?? []
  const ready = conditions.find((condition) => condition.type === 'Ready')?.status
  const taints = conditions
    .filter((condition) => condition.status === 'True' && BY_CONDITION[condition.type] !== undefined)
    .map((condition) => ({ key: BY_CONDITION[condition.type] as string, effect: 'NoSchedule' }))
  if (node.spec?.unschedulable) taints.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' })
  if (ready === 'True') return taints
  // a node that has not said anything yet has nothing to evict
  const key = ready === 'Unknown' ? UNREACHABLE : NOT_READY
  taints.push({ key, effect: 'NoSchedule' })
  if (mayEvict && ready !== undefined) taints.push({ key, effect: 'NoExecute' })
  return taints
}

/**
 * When a pod has to leave a node with these NoExecute taints: ms since 1970, 0 for at once, undefined for never.
 * The first toleration that covers a taint counts for it. Source: kubernetes/pkg/controller/tainteviction.
 */
export function evictionTimeMs(pod: Pod, taints: readonly Taint[], seenAtMs: number): number | undefined {
  let earliest: number | undefined
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue
    const toleration = pod.spec?.tolerations?.find((candidate) => tolerates([candidate], taint))
    if (!toleration) return 0
    if (toleration.tolerationSeconds === undefined) continue
    const since = taint.timeAdded ? Date.parse(taint.timeAdded) : seenAtMs
    const at = since + Math.max(0, toleration.tolerationSeconds) * 1000
    earliest = Math.min(earliest ?? at, at)
  }
  return earliest
}
