import type { KubeObject } from '../../api/meta/object.ts'
import type { DaemonSet, Deployment, LabelSelector, Pod, ReplicaSet, StatefulSet } from '../../api/generated/types.ts'
import { isConditionTrue } from '../../api/conditions.ts'
import { labelSelectorMatcher } from '../../api/meta/selector.ts'
import type { StepUpdate } from './progress.ts'

/** What there is in the cluster that runs. */
export interface Workloads {
  readonly deployments: readonly Deployment[]
  readonly statefulSets: readonly StatefulSet[]
  readonly daemonSets: readonly DaemonSet[]
  readonly replicaSets: readonly ReplicaSet[]
  readonly pods: readonly Pod[]
}

/** A step for each workload: how many of its pods are ready, and what is wrong with one that is not. */
export function planWorkloadSteps(workloads: Workloads): readonly StepUpdate[] {
  const { deployments, statefulSets, daemonSets, replicaSets, pods } = workloads
  return [
    ...deployments.map((one) => countStep('deployment', one, { counts: deploymentCounts(one), pods })),
    ...statefulSets.map((one) => countStep('statefulset', one, { counts: replicaCounts(one), pods })),
    ...daemonSets.map((one) => countStep('daemonset', one, { counts: daemonCounts(one), pods })),
    ...replicaSets.filter(isAlone).map((one) => countStep('replicaset', one, { counts: replicaCounts(one), pods })),
    ...pods.filter(isAlone).map(podStep),
  ]
}

interface Counts {
  readonly wanted: number
  readonly ready: number
  /** Nothing is still being replaced. */
  readonly settled: boolean
}

type Controller = KubeObject & { readonly spec?: { readonly selector?: LabelSelector | undefined } | undefined }

function countStep(
  kind: string,
  object: Controller,
  { counts, pods }: { readonly counts: Counts; readonly pods: readonly Pod[] },
): StepUpdate {
  const { wanted, settled } = counts
  const matches = labelSelectorMatcher(object.spec?.selector)
  const own = pods.filter((pod) => pod.metadata.namespace === object.metadata.namespace && matches(pod.metadata.labels))
  // the pods know first that they are not ready any more
  const ready = Math.min(counts.ready, own.filter(isReady).length)
  const done = ready >= wanted && settled
  const problem = done ? undefined : own.map(problemOf).find((one) => one !== undefined)
  return {
    id: `${kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`,
    title: titleOf(kind, object),
    detail: `${ready}/${wanted} ready${problem === undefined ? '' : `; ${problem}`}`,
    state: done ? 'done' : 'working',
  }
}

const isReady = (pod: Pod): boolean => isConditionTrue(pod.status?.conditions, 'Ready')

function podStep(pod: Pod): StepUpdate {
  const phase = pod.status?.phase ?? 'Pending'
  const done = phase === 'Succeeded' || (phase === 'Running' && isReady(pod))
  return {
    id: `pod/${pod.metadata.namespace ?? ''}/${pod.metadata.name}`,
    title: titleOf('pod', pod),
    detail: problemOf(pod) ?? (done ? (phase === 'Succeeded' ? 'completed' : 'ready') : phase),
    state: done ? 'done' : phase === 'Failed' ? 'failed' : 'working',
  }
}

/** Why a pod does not run, in a few words; undefined when it runs or is only on its way. */
export function problemOf(pod: Pod): string | undefined {
  const { name } = pod.metadata
  const unscheduled = pod.status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False')
  if (unscheduled) return `${name}: ${unscheduled.reason ?? 'not scheduled'}: ${unscheduled.message ?? ''}`
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const { waiting, terminated } = status.state ?? {}
    if (waiting?.reason && !USUAL.has(waiting.reason)) {
      return `${name}: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`
    }
    if (terminated && terminated.exitCode !== 0) return `${name}: ${terminated.reason ?? 'Error'} (exit code ${terminated.exitCode})`
  }
  return undefined
}

const USUAL = new Set(['ContainerCreating', 'PodInitializing'])

function deploymentCounts({ metadata, spec, status }: Deployment): Counts {
  const wanted = spec?.replicas ?? 1
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const settled = seen && (status?.updatedReplicas ?? 0) >= wanted && (status?.replicas ?? 0) === (status?.updatedReplicas ?? 0)
  return { wanted, ready: status?.readyReplicas ?? 0, settled }
}

function replicaCounts({ metadata, spec, status }: StatefulSet | ReplicaSet): Counts {
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  return { wanted: spec?.replicas ?? 1, ready: status?.readyReplicas ?? 0, settled: seen }
}

function daemonCounts({ metadata, status }: DaemonSet): Counts {
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  return { wanted: status?.desiredNumberScheduled ?? 0, ready: status?.numberReady ?? 0, settled: seen }
}

function isAlone(object: KubeObject): boolean {
  return !object.metadata.ownerReferences?.some((owner) => owner.controller)
}

function titleOf(kind: string, { metadata }: KubeObject): string {
  const { namespace, name } = metadata
  return namespace === undefined || namespace === 'default' ? `${kind}/${name}` : `${namespace}/${kind}/${name}`
}
