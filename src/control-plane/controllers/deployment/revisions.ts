import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'

export const REVISION = 'deployment.kubernetes.io/revision'
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas'
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas'
export const TEMPLATE_HASH = 'pod-template-hash'

/** Annotations of a deployment that its replica sets do not inherit. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
])

export const replicasOf = (object: { readonly spec?: { readonly replicas?: number | undefined } | undefined }): number =>
  object.spec?.replicas ?? 1
export const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[REVISION] ?? 0) || 0

/** Equal but for the hash label that we add ourselves. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return deepEqual(withoutHash(a), withoutHash(b))
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [TEMPLATE_HASH]: _hash, ...labels } = template?.metadata?.labels ?? {}
  const { creationTimestamp: _created, ...metadata } = template?.metadata ?? {}
  return { ...template, metadata: { ...metadata, labels } }
}

/** The set made from the deployment's present template; the oldest, should there be several. */
export function findNewSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.filter((set) => sameTemplate(set.spec?.template, deployment.spec?.template)).sort(compareAge)[0]
}

/** The annotations a set should carry: the deployment's, its revision with those it replaced, and the sizes for proportional scaling. */
export function setAnnotations(deployment: Deployment, set: ReplicaSet | undefined, revision: number): Record<string, string> {
  const inherited = Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key)))
  const before = set ? revisionOf(set) : 0
  const history = set?.metadata.annotations?.[REVISION_HISTORY]
  const replaced = before > 0 && before < revision ? [...(history ? history.split(',') : []), String(before)].join(',') : history
  return {
    ...set?.metadata.annotations,
    ...inherited,
    [REVISION]: String(Math.max(revision, before)),
    ...(replaced ? { [REVISION_HISTORY]: replaced } : {}),
  }
}

/**
 * Sets whose history is no longer kept: of those beyond `revisionHistoryLimit`, oldest revision first, the ones that are
 * empty and have said so. Source: kubernetes/pkg/controller/deployment/sync.go cleanupDeployment.
 */
export function setsToForget(deployment: Deployment, oldSets: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10
  const alive = oldSets.filter((set) => !set.metadata.deletionTimestamp).sort((a, b) => revisionOf(a) - revisionOf(b))
  return alive
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (set) =>
        replicasOf(set) === 0 &&
        (set.status?.replicas ?? 0) === 0 &&
        (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0),
    )
}

/** Older first; by name where both were made in one second. */
export function compareAge(a: ReplicaSet, b: ReplicaSet): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compareText(a.metadata.name, b.metadata.name)
  )
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
