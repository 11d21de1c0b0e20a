import { timestamp } from '../../../base/timestamp.ts'
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../../api/generated/types.ts'
import { setCondition, type ConditionLike } from '../../../api/conditions.ts'
import { scaledValue } from '../../../api/meta/int-or-string.ts'
import { isPodReady, podPhaseIsTerminal } from '../../../api/pod-status.ts'

/** An eviction that the API server has let through and whose pod is still there after this time did not happen. Source: upstream DeletionTimeout. */
const EVICTION_MS = 2 * 60_000

export interface BudgetInput {
  readonly pods: readonly Pod[]
  /** Sum of `spec.replicas` of the controllers of `pods`; undefined when one of them has no scale: percentages mean nothing then. */
  readonly scale?: number
  readonly nowMs: number
}

/**
 * The status of a budget: how many of its pods are healthy, how many must be, and how many may be evicted now. Pure.
 * Source: kubernetes/pkg/controller/disruption.
 */
export function budgetStatus(budget: PodDisruptionBudget, input: BudgetInput): PodDisruptionBudgetStatus {
  const { nowMs } = input
  const now = timestamp(nowMs)
  const live = input.pods.filter((pod) => !podPhaseIsTerminal(pod.status?.phase))
  const disruptedPods = stillDisrupted(budget, live, nowMs)
  const healthy = live.filter(
    (pod) => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined && !Object.hasOwn(disruptedPods, pod.metadata.name),
  ).length
  const expectedPods = expected(budget, live.length, input.scale)
  const desiredHealthy = expectedPods === undefined ? 0 : desired(budget, expectedPods)
  const allowed = expectedPods === undefined || expectedPods === 0 ? 0 : Math.max(0, healthy - desiredHealthy)
  const condition =
    expectedPods === undefined
      ? {
          type: 'DisruptionAllowed',
          status: 'False',
          reason: 'SyncFailed',
          message: 'found no controller with a scale for all pods: use an absolute minAvailable',
        }
      : {
          type: 'DisruptionAllowed',
          status: allowed > 0 ? 'True' : 'False',
          reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
          message: '',
        }
  return {
    observedGeneration: budget.metadata.generation,
    disruptionsAllowed: allowed,
    currentHealthy: healthy,
    desiredHealthy,
    expectedPods: expectedPods ?? 0,
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    conditions: [...setCondition<ConditionLike>(budget.status?.conditions, condition, now)] as Condition[],
  }
}

/** A number in `minAvailable` needs no more than the pods themselves; everything else counts against the scale. */
function expected(budget: PodDisruptionBudget, pods: number, scale: number | undefined): number | undefined {
  return budget.spec?.maxUnavailable === undefined && typeof budget.spec?.minAvailable === 'number' ? pods : scale
}

function desired(budget: PodDisruptionBudget, expectedPods: number): number {
  const { minAvailable, maxUnavailable } = budget.spec ?? {}
  if (maxUnavailable !== undefined) return Math.max(0, expectedPods - scaledValue(maxUnavailable, expectedPods, 'up'))
  return scaledValue(minAvailable ?? 1, expectedPods, 'up')
}

function stillDisrupted(budget: PodDisruptionBudget, live: readonly Pod[], nowMs: number): Record<string, string> {
  const entries = Object.entries(budget.status?.disruptedPods ?? {}).filter(([name, time]) => {
    const pod = live.find((candidate) => candidate.metadata.name === name)
    return pod !== undefined && pod.metadata.deletionTimestamp === undefined && nowMs - Date.parse(time) < EVICTION_MS
  })
  return Object.fromEntries(entries)
}

/** Milliseconds until the oldest eviction that did not happen is forgotten, if there is one. */
export function recheckInMs(status: PodDisruptionBudgetStatus, nowMs: number): number | undefined {
  const times = Object.values(status.disruptedPods ?? {}).map((time) => Date.parse(time) + EVICTION_MS - nowMs)
  return times.length > 0 ? Math.max(1_000, Math.min(...times)) : undefined
}
