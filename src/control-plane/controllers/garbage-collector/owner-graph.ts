import type { OwnerReference } from '../../../api/generated/types.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'

export const FOREGROUND = 'foregroundDeletion'
export const ORPHAN = 'orphan'

/** An object as the garbage collector knows it. */
export interface GraphNode {
  readonly uid: string
  readonly kind: KindDefinition
  readonly namespace: string
  readonly name: string
  readonly owners: readonly OwnerReference[]
  readonly deleting: boolean
  /** Waits for its dependents (finalizer `foregroundDeletion`). */
  readonly foreground: boolean
  /** Wants its dependents left alone (finalizer `orphan`). */
  readonly orphan: boolean
}

/** What a change of the graph makes worth looking at. */
export interface GraphEffects {
  readonly toDelete: readonly string[]
  readonly toOrphan: readonly string[]
}

/**
 * Who owns whom, by uid, over all kinds. Pure but for its own state: every method says which objects have to be looked
 * at because of the change. Owners need not be known before their dependents. Source: kubernetes/pkg/controller/garbagecollector/graph_builder.go.
 */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>()
  readonly #dependents = new Map<string, Set<string>>()

  get size(): number {
    return this.#nodes.size
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  /** Whether every owner is known, is what the reference says, and stays: then there is nothing to look at. */
  isHeld(node: GraphNode): boolean {
    return node.owners.every((reference) => {
      const owner = this.#nodes.get(reference.uid)
      return owner !== undefined && !owner.foreground && refersTo(node, reference, owner)
    })
  }

  /** Objects that name `uid` as an owner. */
  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((dependent) => this.#nodes.get(dependent)).filter((node) => node !== undefined)
  }

  /** An object was added or has changed. */
  set(kind: KindDefinition, object: KubeObject): GraphEffects {
    const { uid, name, namespace, ownerReferences, finalizers, deletionTimestamp } = object.metadata
    if (uid === undefined) return { toDelete: [], toOrphan: [] }
    const before = this.#nodes.get(uid)
    const deleting = deletionTimestamp !== undefined
    const node: GraphNode = {
      uid,
      kind,
      namespace: namespace ?? '',
      name,
      owners: ownerReferences ?? [],
      deleting,
      foreground: deleting && (finalizers ?? []).includes(FOREGROUND),
      orphan: deleting && (finalizers ?? []).includes(ORPHAN),
    }
    // most objects own nothing and are owned by nothing; only edges cost memory
    this.#nodes.set(uid, node)
    this.#relink(uid, before?.owners ?? [], node.owners)

    const toDelete = new Set<string>()
    // an owner that was never seen, or is not where the reference says, may be gone for good: worth a look
    if (!this.isHeld(node)) toDelete.add(uid)
    if (node.foreground) {
      toDelete.add(uid)
      if (!before?.foreground) for (const dependent of this.#dependents.get(uid) ?? []) toDelete.add(dependent)
    }
    // a dependent that no longer blocks may free its owner
    for (const owner of before?.owners ?? []) {
      const still = node.owners.find((candidate) => candidate.uid === owner.uid)
      if ((!still || (owner.blockOwnerDeletion && !still.blockOwnerDeletion)) && this.#nodes.get(owner.uid)?.foreground)
        toDelete.add(owner.uid)
    }
    return { toDelete: [...toDelete], toOrphan: node.orphan ? [uid] : [] }
  }

  /** An object is gone. */
  remove(uid: string): GraphEffects {
    const node = this.#nodes.get(uid)
    if (!node) return { toDelete: [], toOrphan: [] }
    this.#nodes.delete(uid)
    this.#relink(uid, node.owners, [])
    const waiting = node.owners.filter((owner) => this.#nodes.get(owner.uid)?.foreground).map((owner) => owner.uid)
    return { toDelete: [...(this.#dependents.get(uid) ?? []), ...waiting], toOrphan: [] }
  }

  #relink(uid: string, before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
    for (const owner of before) {
      if (after.some((candidate) => candidate.uid === owner.uid)) continue
      const dependents = this.#dependents.get(owner.uid)
      dependents?.delete(uid)
      if (dependents?.size === 0) this.#dependents.delete(owner.uid)
    }
    for (const owner of after) {
      const dependents = this.#dependents.get(owner.uid)
      if (dependents) dependents.add(uid)
      else this.#dependents.set(owner.uid, new Set([uid]))
    }
  }
}

/**
 * Whether a reference leads to `owner` and not only to its uid: the same kind and name, in the dependent's own namespace
 * or in none. A namespaced owner elsewhere is no owner. Source: kubernetes.io/docs "Owners and Dependents".
 */
export function refersTo(dependent: Pick<GraphNode, 'namespace'>, reference: OwnerReference, owner: GraphNode): boolean {
  const group = reference.apiVersion.includes('/') ? reference.apiVersion.slice(0, reference.apiVersion.indexOf('/')) : ''
  return (
    reference.kind === owner.kind.kind &&
    group === owner.kind.group &&
    reference.name === owner.name &&
    (owner.namespace === '' || owner.namespace === dependent.namespace)
  )
}
