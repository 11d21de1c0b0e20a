import type { ListMeta, ObjectMeta } from '../generated/types.ts'

/** Metadata of an object that has a name (all but drafts with `generateName` and templates). */
export type NamedMeta = ObjectMeta & { name: string }

/** Anything the API stores. `spec`, `status`, `data` and so on belong to the kind's own type. */
export interface KubeObject {
  apiVersion?: string | undefined
  kind?: string | undefined
  metadata: NamedMeta
}

/** What a client may send to create: the name may be left to `generateName`. */
export type Draft<T extends KubeObject> = Omit<T, 'metadata'> & { metadata: ObjectMeta }

/** A page of objects at one revision. */
export interface KubeList<T> {
  apiVersion?: string
  kind?: string
  metadata: ListMeta
  items: T[]
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

/** One line of a watch. On `ERROR`, `object` is a `Status`. */
export interface WatchEvent<T = KubeObject> {
  readonly type: WatchEventType
  readonly object: T
}

/** `group/version`, or just `version` in the core group. */
export function apiVersionOf(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and queues. */
export function keyOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string | undefined } }): string {
  const { namespace, name } = object.metadata
  return namespace ? `${namespace}/${name}` : name
}
