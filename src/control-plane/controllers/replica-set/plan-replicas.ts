import type { Pod } from '../../../api/generated/types.ts'
import { findCondition } from '../../../api/conditions.ts'
import { isPodReady } from '../../../api/pod-status.ts'

/** Most pods one reconcile creates or deletes. Source: kubernetes/pkg/controller/replicaset BurstReplicas. */
export const BURST = 500

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost'

/**
 * Decides what brings `pods` (active ones) to `want`. Pure.
 * @param related how many pods of the same owner's siblings share each node: crowded nodes lose pods first
 */
export function planReplicas(
  want: number,
  pods: readonly Pod[],
  related: ReadonlyMap<string, number> = new Map(),
): { readonly create: number; readonly remove: readonly Pod[] } {
  const difference = want - pods.length
  if (difference >= 0) return { create: Math.min(difference, BURST), remove: [] }
  const order = [...pods].sort((a, b) => compareForDeletion(a, b, related))
  return { create: 0, remove: order.slice(0, Math.min(-difference, BURST)) }
}

/**
 * Which of two pods is missed less: without a node, pending, not ready, cheaper by annotation, on a more crowded node,
 * ready for a shorter time, restarted more often, younger. Source: kubernetes/pkg/controller ActivePodsWithRanks.
 */
function compareForDeletion(a: Pod, b: Pod, related: ReadonlyMap<string, number>): number {
  return (
    Number(Boolean(a.spec?.nodeName)) - Number(Boolean(b.spec?.nodeName)) ||
    phaseRank(a) - phaseRank(b) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    cost(a) - cost(b) ||
    (related.get(b.spec?.nodeName ?? '') ?? 0) - (related.get(a.spec?.nodeName ?? '') ?? 0) ||
    readySince(b) - readySince(a) ||
    restarts(b) - restarts(a) ||
    Date.parse(b.metadata.creationTimestamp ?? '') - Date.parse(a.metadata.creationTimestamp ?? '') ||
    0
  )
}

const phaseRank = (pod: Pod): number => ['Pending', 'Unknown', 'Running'].indexOf(pod.status?.phase ?? 'Pending')
const cost = (pod: Pod): number => Number(pod.metadata.annotations?.[DELETION_COST] ?? 0) || 0
const readySince = (pod: Pod): number =>
  isPodReady(pod) ? Date.parse(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '') || 0 : 0
const restarts = (pod: Pod): number => Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount))
