import type { NamespaceCondition } from '../../../api/generated/types.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'

/** What `kubectl describe namespace` shows of a deletion that takes its time. Pure. Source: kubernetes/pkg/controller/namespace/deletion status_condition_utils.go. */
export function deletionConditions(
  left: readonly { readonly kind: KindDefinition; readonly objects: readonly KubeObject[] }[],
  failures: readonly string[],
): NamespaceCondition[] {
  // the dot also stands behind a plural of the core group, as upstream has it
  const remaining = left.map(({ kind, objects }) => `${kind.plural}.${kind.group} has ${objects.length} resource instances`).sort()
  const finalizers = new Map<string, number>()
  for (const { objects } of left)
    for (const object of objects)
      for (const finalizer of object.metadata.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
  const waiting = [...finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).sort()
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    failures.length > 0
      ? {
          type: 'NamespaceDeletionContentFailure',
          status: 'True',
          reason: 'ContentDeletionFailed',
          message: `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
        }
      : {
          type: 'NamespaceDeletionContentFailure',
          status: 'False',
          reason: 'ContentDeleted',
          message: 'All content successfully deleted, may be waiting on finalization',
        },
    remaining.length > 0
      ? {
          type: 'NamespaceContentRemaining',
          status: 'True',
          reason: 'SomeResourcesRemain',
          message: `Some resources are remaining: ${remaining.join(', ')}`,
        }
      : { type: 'NamespaceContentRemaining', status: 'False', reason: 'ContentRemoved', message: 'All content successfully removed' },
    waiting.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${waiting.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ]
}

/** How long to wait before looking again at what still holds a namespace: the longer it has taken, the less often. */
export function lookAgainInMs(deletionTimestamp: string, nowMs: number): number {
  const elapsedMs = Math.max(0, nowMs - Date.parse(deletionTimestamp))
  return Math.min(Math.max(elapsedMs / 4, 250), 15_000)
}
