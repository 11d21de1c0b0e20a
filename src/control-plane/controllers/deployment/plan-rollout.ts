import type { Deployment, ReplicaSet } from '../../../api/generated/types.ts'
import { scaledValue } from '../../../api/meta/int-or-string.ts'
import { compareAge, DESIRED_REPLICAS, MAX_REPLICAS, replicasOf } from './revisions.ts'

/** New sizes of replica sets, by name; sets that keep theirs are left out. */
export type Sizes = ReadonlyMap<string, number>

/** How many pods a rolling update may have too many and too few. One of them is at least 1. Source: kubernetes/pkg/controller/deployment/util ResolveFenceposts. */
export function fenceposts(deployment: Deployment): { readonly maxSurge: number; readonly maxUnavailable: number } {
  if (deployment.spec?.strategy?.type === 'Recreate') return { maxSurge: 0, maxUnavailable: 0 }
  const replicas = replicasOf(deployment)
  const rolling = deployment.spec?.strategy?.rollingUpdate
  const maxSurge = scaledValue(rolling?.maxSurge ?? '25%', replicas, 'up')
  const maxUnavailable = Math.min(scaledValue(rolling?.maxUnavailable ?? '25%', replicas, 'down'), replicas)
  if (replicas === 0) return { maxSurge, maxUnavailable: 0 }
  return maxSurge === 0 && maxUnavailable === 0 ? { maxSurge, maxUnavailable: 1 } : { maxSurge, maxUnavailable }
}

/** One step of a rolling update: first the new set grows as far as the surge allows, then old sets shrink as far as availability allows. */
export function planRollingUpdate(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): Sizes {
  const grown = newSetSize(deployment, newSet, oldSets)
  if (grown !== replicasOf(newSet)) return new Map([[newSet.metadata.name, grown]])
  return shrinkOld(deployment, newSet, oldSets)
}

/** Recreate: all old sets to zero first; the new one only when no old pod is left (`oldPodsGone`). */
export function planRecreate(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
  oldPodsGone: boolean,
): Sizes {
  const down = oldSets.filter((set) => replicasOf(set) > 0)
  if (down.length > 0) return new Map(down.map((set) => [set.metadata.name, 0]))
  if (!newSet || !oldPodsGone || replicasOf(newSet) === replicasOf(deployment)) return new Map()
  return new Map([[newSet.metadata.name, replicasOf(deployment)]])
}

function newSetSize(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): number {
  const want = replicasOf(deployment)
  const have = replicasOf(newSet)
  if (have >= want) return want
  const total = have + sum(oldSets, replicasOf)
  const room = want + fenceposts(deployment).maxSurge - total
  return have + Math.max(0, Math.min(room, want - have))
}

function shrinkOld(deployment: Deployment, newSet: ReplicaSet, oldSets: readonly ReplicaSet[]): Sizes {
  const old = oldSets.filter((set) => replicasOf(set) > 0)
  if (old.length === 0) return new Map()
  const total = sum(old, replicasOf) + replicasOf(newSet)
  const minAvailable = replicasOf(deployment) - fenceposts(deployment).maxUnavailable
  const newUnavailable = replicasOf(newSet) - available(newSet)
  // what may go without anybody missing it, counting new pods that are not there yet as missing
  let budget = total - minAvailable - newUnavailable
  if (budget <= 0) return new Map()
  const sizes = new Map<string, number>()
  const bySizeOf = (set: ReplicaSet): number => sizes.get(set.metadata.name) ?? replicasOf(set)
  // pods that do not work serve nobody: they go first
  for (const set of byAge(old)) {
    const broken = Math.min(budget, replicasOf(set) - Math.min(available(set), replicasOf(set)))
    if (broken <= 0) continue
    sizes.set(set.metadata.name, replicasOf(set) - broken)
    budget -= broken
  }
  let spare = Math.min(budget, sum(old, available) + available(newSet) - minAvailable)
  for (const set of byAge(old)) {
    const drop = Math.min(spare, bySizeOf(set))
    if (drop <= 0) continue
    sizes.set(set.metadata.name, bySizeOf(set) - drop)
    spare -= drop
  }
  return sizes
}

/**
 * A change of `spec.replicas` in the middle of a rollout, or while paused: the difference is shared among all active
 * sets in proportion to their sizes, the remainder goes to the largest. Source: kubernetes deployment_util.go GetReplicaSetProportion.
 */
export function planScale(deployment: Deployment, newSet: ReplicaSet | undefined, oldSets: readonly ReplicaSet[]): Sizes {
  const all = [...oldSets, ...(newSet ? [newSet] : [])]
  const active = all.filter((set) => replicasOf(set) > 0)
  const want = replicasOf(deployment)
  const single = active.length === 1 ? active[0] : active.length === 0 ? (newSet ?? latest(oldSets)) : undefined
  if (single) return replicasOf(single) === want ? new Map() : new Map([[single.metadata.name, want]])
  if (newSet && replicasOf(newSet) === want && available(newSet) === want && desiredOf(newSet) === want)
    return new Map(oldSets.filter((set) => replicasOf(set) > 0).map((set) => [set.metadata.name, 0]))
  if (deployment.spec?.strategy?.type === 'Recreate') return new Map()
  return proportional(deployment, active)
}

function proportional(deployment: Deployment, active: readonly ReplicaSet[]): Sizes {
  const total = sum(active, replicasOf)
  const allowed = replicasOf(deployment) === 0 ? 0 : replicasOf(deployment) + fenceposts(deployment).maxSurge
  const difference = allowed - total
  if (difference === 0) return new Map()
  // growing favours the newer of equally large sets, shrinking the older
  const order = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || (difference > 0 ? compareAge(b, a) : compareAge(a, b)))
  const sizes = new Map<string, number>()
  let added = 0
  for (const set of order) {
    const before = Number(set.metadata.annotations?.[MAX_REPLICAS] ?? total) || total
    const share = Math.round((replicasOf(set) * allowed) / before) - replicasOf(set)
    const left = difference - added
    const part = difference > 0 ? Math.max(0, Math.min(share, left)) : Math.min(0, Math.max(share, left))
    sizes.set(set.metadata.name, replicasOf(set) + part)
    added += part
  }
  const first = order[0]
  if (first) sizes.set(first.metadata.name, Math.max(0, (sizes.get(first.metadata.name) ?? 0) + difference - added))
  return new Map([...sizes].filter(([name, size]) => size !== replicasOf(active.find((set) => set.metadata.name === name) ?? {})))
}

const available = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0
const sum = (sets: readonly ReplicaSet[], value: (set: ReplicaSet) => number): number => sets.reduce((total, set) => total + value(set), 0)
const desiredOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[DESIRED_REPLICAS] ?? Number.NaN)
const byAge = (sets: readonly ReplicaSet[]): ReplicaSet[] => [...sets].sort(compareAge)
const latest = (sets: readonly ReplicaSet[]): ReplicaSet | undefined => [...sets].sort((a, b) => compareAge(b, a))[0]
