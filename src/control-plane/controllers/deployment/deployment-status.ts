import { timestamp } from '../../../base/timestamp.ts'
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../../api/generated/types.ts'
import { findCondition, removeCondition, setCondition } from '../../../api/conditions.ts'
import { fenceposts } from './plan-rollout.ts'
import { replicasOf } from './revisions.ts'

export interface StatusInput {
  readonly newSet?: ReplicaSet
  /** All sets, the new one among them. */
  readonly sets: readonly ReplicaSet[]
  readonly nowMs: number
  /** A new set was made or found in this round. */
  readonly rolled?: { readonly reason: 'NewReplicaSetCreated' | 'FoundNewReplicaSet'; readonly name: string }
  /** Why the new set could not be made. */
  readonly createError?: string
  readonly collisionCount?: number
}

/** The status its replica sets amount to. Pure. Source: kubernetes/pkg/controller/deployment/sync.go, progress.go. */
export function deploymentStatus(deployment: Deployment, input: StatusInput): DeploymentStatus {
  const total = (value: (set: ReplicaSet) => number | undefined): number => input.sets.reduce((sum, set) => sum + (value(set) ?? 0), 0)
  const availableReplicas = total((set) => set.status?.availableReplicas)
  const replicas = total((set) => set.status?.replicas)
  const counts = {
    replicas,
    updatedReplicas: input.newSet?.status?.replicas ?? 0,
    readyReplicas: total((set) => set.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, total(replicasOf) - availableReplicas),
    terminatingReplicas: total((set) => set.status?.terminatingReplicas),
  }
  const collisionCount = input.collisionCount ?? deployment.status?.collisionCount
  const status: DeploymentStatus = {
    ...counts,
    observedGeneration: deployment.metadata.generation,
    ...(collisionCount === undefined ? {} : { collisionCount }),
  }
  return { ...status, conditions: [...conditionsOf(deployment, status, input)] }
}

function conditionsOf(deployment: Deployment, status: DeploymentStatus, input: StatusInput): readonly DeploymentCondition[] {
  const now = timestamp(input.nowMs)
  const enough = (status.availableReplicas ?? 0) >= replicasOf(deployment) - fenceposts(deployment).maxUnavailable
  let list: readonly DeploymentCondition[] = deployment.status?.conditions ?? []
  list = put(
    list,
    enough
      ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    now,
  )
  const failure = [...(input.newSet ? [input.newSet] : []), ...input.sets]
    .map((set) => findCondition(set.status?.conditions, 'ReplicaFailure'))
    .find((condition) => condition !== undefined)
  list = failure
    ? put(list, { type: 'ReplicaFailure', status: 'True', reason: failure.reason, message: failure.message }, now)
    : removeCondition(list, 'ReplicaFailure')
  return hasProgressDeadline(deployment) ? progress(deployment, { list, status, input }) : removeCondition(list, 'Progressing')
}

function progress(
  deployment: Deployment,
  {
    list,
    status,
    input,
  }: { readonly list: readonly DeploymentCondition[]; readonly status: DeploymentStatus; readonly input: StatusInput },
): readonly DeploymentCondition[] {
  const now = timestamp(input.nowMs)
  const before = findCondition(list, 'Progressing')
  const name = input.newSet?.metadata.name
  const subject = name ? `ReplicaSet "${name}"` : `Deployment "${deployment.metadata.name}"`
  if (deployment.spec?.paused) {
    return before?.reason === 'DeploymentPaused' || before?.reason === 'ProgressDeadlineExceeded'
      ? list
      : put(list, { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' }, now)
  }
  if (before?.reason === 'DeploymentPaused')
    list = put(list, { type: 'Progressing', status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' }, now)
  if (input.createError !== undefined)
    return put(list, { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message: input.createError }, now)
  if (input.rolled) {
    const message =
      input.rolled.reason === 'NewReplicaSetCreated'
        ? `Created new replica set "${input.rolled.name}"`
        : `Found new replica set "${input.rolled.name}"`
    return put(list, { type: 'Progressing', status: 'True', reason: input.rolled.reason, message }, now)
  }
  // a rollout that has ended stays ended: a pod that is replaced later is no progress of it
  if (before?.reason === 'NewReplicaSetAvailable' && status.replicas === status.updatedReplicas) return list
  if (isComplete(deployment, status)) {
    return put(
      list,
      { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: `${subject} has successfully progressed.` },
      now,
    )
  }
  if (hasProgressed(deployment.status, status)) {
    return put(list, { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` }, now)
  }
  if (timedOut(deployment, findCondition(list, 'Progressing'), input.nowMs)) {
    return put(
      list,
      { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: `${subject} has timed out progressing.` },
      now,
    )
  }
  return list
}

/** Everything is new and available, and nothing old is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const want = replicasOf(deployment)
  return (
    status.updatedReplicas === want &&
    status.replicas === want &&
    status.availableReplicas === want &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined): number => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  )
}

const hasProgressDeadline = (deployment: Deployment): boolean =>
  deployment.spec?.progressDeadlineSeconds !== undefined && deployment.spec.progressDeadlineSeconds < 2_147_483_647

function timedOut(deployment: Deployment, condition: DeploymentCondition | undefined, nowMs: number): boolean {
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false
  if (condition.reason === 'ProgressDeadlineExceeded') return true
  return deadlineInMs(deployment, condition, nowMs) <= 0
}

/** Milliseconds until the progress deadline, or undefined when none runs. */
export function progressDeadlineInMs(deployment: Deployment, status: DeploymentStatus, nowMs: number): number | undefined {
  const condition = findCondition(status.conditions, 'Progressing')
  if (
    !hasProgressDeadline(deployment) ||
    deployment.spec?.paused ||
    !condition ||
    condition.status === 'False' ||
    isComplete(deployment, status)
  )
    return undefined
  return Math.max(1_000, deadlineInMs(deployment, condition, nowMs))
}

function deadlineInMs(deployment: Deployment, condition: DeploymentCondition, nowMs: number): number {
  return (
    Date.parse(condition.lastUpdateTime ?? condition.lastTransitionTime ?? '') +
    (deployment.spec?.progressDeadlineSeconds ?? 600) * 1000 -
    nowMs
  )
}

/** Sets a condition; `lastUpdateTime` moves only when something differs. */
function put(list: readonly DeploymentCondition[], condition: DeploymentCondition, now: string): readonly DeploymentCondition[] {
  const before = findCondition(list, condition.type)
  const same = before && before.status === condition.status && before.reason === condition.reason && before.message === condition.message
  // readiness that moves on counts as progress even if it is worded alike
  const moved = condition.reason === 'ReplicaSetUpdated'
  const lastUpdateTime = same && !moved ? before.lastUpdateTime : now
  return setCondition(list, { ...condition, lastUpdateTime }, now)
}
