import type { KindDefinition } from '../api/kind.ts'
import { keyOf, type KubeObject } from '../api/meta/object.ts'
import { controllerOf } from '../api/meta/owner.ts'
import type { OwnerReference } from '../api/generated/types.ts'
import type { Mapper, Request } from './contract.ts'

type Owner = string | Pick<KindDefinition, 'group' | 'kind' | 'namespaced'>

/** The object itself. */
export function requestOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string | undefined } }): Request {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name }
}

/** The key of a request in queues and caches: the one `keyOf` gives for its object. */
export function requestKey(request: Request): string {
  return keyOf({ metadata: request })
}

/** The way back from `requestKey`. */
export function parseRequestKey(key: string): Request {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/**
 * The managing owner, when it is of this kind: `watchOf(pods, ownedBy(replicaSets))`. Give the definition for owners
 * that are cluster-scoped; a bare kind name means one in the object's namespace.
 */
export function ownedBy(owner: Owner): Mapper<KubeObject> {
  return (object) => {
    const reference = controllerOf(object)
    return reference && refersTo(reference, owner) ? [ownerRequest(object, reference, owner)] : []
  }
}

/** Every owner of this kind, managing or not. */
export function enqueueOwner(owner: Owner): Mapper<KubeObject> {
  return (object) =>
    (object.metadata.ownerReferences ?? [])
      .filter((reference) => refersTo(reference, owner))
      .map((reference) => ownerRequest(object, reference, owner))
}

function refersTo(reference: OwnerReference, owner: Owner): boolean {
  if (typeof owner === 'string') return reference.kind === owner
  const group = reference.apiVersion.includes('/') ? reference.apiVersion.split('/')[0] : ''
  return reference.kind === owner.kind && group === owner.group
}

function ownerRequest(object: KubeObject, reference: OwnerReference, owner: Owner): Request {
  const namespaced = typeof owner === 'string' || owner.namespaced
  return { namespace: namespaced ? (object.metadata.namespace ?? '') : '', name: reference.name }
}
