import type { OwnerReference } from '../generated/types.ts'
import type { KindDefinition } from '../kind.ts'
import { apiVersionOf, type KubeObject } from './object.ts'

type Owned = { readonly metadata: { readonly ownerReferences?: readonly OwnerReference[] | undefined } }

/** The owner that manages this object (`controller: true`), if it has one. */
export function controllerOf(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true)
}

/** Whether `owner` manages `object`, by uid. */
export function isControlledBy(object: Owned, owner: KubeObject): boolean {
  const uid = controllerOf(object)?.uid
  return uid !== undefined && uid === owner.metadata.uid
}

/** A reference to a stored `owner` of `kind`. Both flags default to true: what a controller puts on what it makes. */
export function ownerReference(
  owner: KubeObject,
  kind: Pick<KindDefinition, 'group' | 'version' | 'kind'>,
  options: { readonly controller?: boolean; readonly blockOwnerDeletion?: boolean } = {},
): OwnerReference {
  const { name, uid } = owner.metadata
  if (uid === undefined) throw new Error(`cannot own through ${kind.kind} ${name}: it has no uid, use the object that the server returned`)
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    name,
    uid,
    controller: options.controller ?? true,
    blockOwnerDeletion: options.blockOwnerDeletion ?? true,
  }
}
