import type { OwnerReference } from '../../../api/generated/types.ts'
import type { GraphNode } from './owner-graph.ts'

/** What is known of one owner of an object. */
export type OwnerState = 'solid' | 'absent' | 'waiting'

export type DeletionPlan =
  | { readonly type: 'keep' }
  /** Take these references out: their owners are gone or going, but another one holds the object. */
  | { readonly type: 'dropOwners'; readonly uids: readonly string[] }
  /** @param unblock first let go of owners, because a cycle of foreground deletions would wait for ever */
  | { readonly type: 'delete'; readonly policy: 'Background' | 'Foreground' | 'Orphan'; readonly unblock: boolean }

/**
 * What becomes of an object that is not being deleted itself. Pure.
 * Source: kubernetes/pkg/controller/garbagecollector/garbagecollector.go attemptToDeleteItem.
 */
export function planDeletion(
  owners: readonly OwnerReference[],
  states: ReadonlyMap<string, OwnerState>,
  node: { readonly dependents: readonly GraphNode[]; readonly finalizers: readonly string[] },
): DeletionPlan {
  const inState = (state: OwnerState): string[] => owners.filter((owner) => states.get(owner.uid) === state).map((owner) => owner.uid)
  const [solid, absent, waiting] = [inState('solid'), inState('absent'), inState('waiting')]
  if (owners.length === 0) return { type: 'keep' }
  if (solid.length > 0) {
    const gone = [...absent, ...waiting]
    return gone.length > 0 ? { type: 'dropOwners', uids: gone } : { type: 'keep' }
  }
  if (waiting.length > 0 && node.dependents.length > 0) {
    return { type: 'delete', policy: 'Foreground', unblock: node.dependents.some((dependent) => dependent.foreground) }
  }
  const policy = node.finalizers.includes('orphan')
    ? 'Orphan'
    : node.finalizers.includes('foregroundDeletion')
      ? 'Foreground'
      : 'Background'
  return { type: 'delete', policy, unblock: false }
}

/** Dependents that keep a foreground deletion from ending. */
export function blockingDependents(owner: GraphNode, dependents: readonly GraphNode[]): GraphNode[] {
  return dependents.filter(
    (dependent) =>
      dependent.uid !== owner.uid && dependent.owners.some((reference) => reference.uid === owner.uid && reference.blockOwnerDeletion),
  )
}
