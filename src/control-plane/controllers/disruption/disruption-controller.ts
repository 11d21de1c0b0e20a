import { isStatus } from '../../../base/errors.ts'
import type { Pod, PodDisruptionBudget } from '../../../api/generated/types.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { controllerOf } from '../../../api/meta/owner.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import { podDisruptionBudgets } from '../../../api/policy/v1/pod-disruption-budget.ts'
import { watchOf, type Manager } from '../../../controller/contract.ts'
import { requestOf } from '../../../controller/mappers.ts'
import { budgetStatus, recheckInMs } from './plan-budget.ts'

/** Keeps the status of PodDisruptionBudgets, from which the eviction subresource takes. */
export function addDisruptionController(manager: Manager): void {
  const budgets = manager.informers.informer(podDisruptionBudgets)
  const podInformer = manager.informers.informer(pods)
  const sets = manager.informers.informer(replicaSets)
  const rollouts = manager.informers.informer(deployments)
  const selects = (budget: PodDisruptionBudget, pod: Pod): boolean =>
    labelSelectorMatcher(budget.spec?.selector ?? {})(pod.metadata.labels ?? {})

  /** Replicas that the controllers of these pods want together; a Deployment counts rather than its sets. */
  const scaleOf = (selected: readonly Pod[]): number | undefined => {
    const wanted = new Map<string, number>()
    for (const pod of selected) {
      const owner = controllerOf(pod)
      const set = owner?.kind === 'ReplicaSet' ? sets.lister.get(`${pod.metadata.namespace}/${owner.name}`) : undefined
      if (!set) return undefined
      const above = controllerOf(set)
      const rollout = above?.kind === 'Deployment' ? rollouts.lister.get(`${pod.metadata.namespace}/${above.name}`) : undefined
      const scaled = rollout ?? set
      wanted.set(scaled.metadata.uid ?? '', scaled.spec?.replicas ?? 1)
    }
    return [...wanted.values()].reduce((sum, replicas) => sum + replicas, 0)
  }

  manager.addController({
    name: 'disruption',
    watches: [
      watchOf(podDisruptionBudgets),
      watchOf(
        pods,
        (pod) =>
          budgets.lister
            .list(pod.metadata.namespace)
            .filter((budget) => selects(budget, pod))
            .map(requestOf),
        (pod, previous) =>
          previous === undefined ||
          !deepEqual(
            [pod.status?.conditions, pod.status?.phase, pod.metadata],
            [previous.status?.conditions, previous.status?.phase, previous.metadata],
          ),
      ),
    ],
    reconciler: {
      async reconcile(request, signal) {
        const budget = budgets.lister.get(`${request.namespace}/${request.name}`)
        if (!budget || budget.metadata.deletionTimestamp) return {}
        const selected = podInformer.lister.list(request.namespace).filter((pod) => selects(budget, pod))
        const scale = scaleOf(selected)
        const nowMs = manager.clock.now()
        const status = budgetStatus(budget, { pods: selected, nowMs, ...(scale === undefined ? {} : { scale }) })
        if (!deepEqual(status, budget.status)) {
          // compared by resourceVersion: an eviction that was let through meanwhile must not be forgotten
          await manager.client
            .of(podDisruptionBudgets)
            .updateStatus({ ...budget, status }, { signal })
            .catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error)))
        }
        const requeueAfterMs = recheckInMs(status, nowMs)
        return requeueAfterMs === undefined ? {} : { requeueAfterMs }
      },
    },
  })
}
