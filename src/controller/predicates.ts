import type { KubeObject } from '../api/meta/object.ts'

/** Tells which events matter: the `filter` of a watch. `previous` is absent for adds and deletes. */
export type Predicate<T extends KubeObject = KubeObject> = (object: T, previous?: T) => boolean

/** Adds, deletes and changes of `metadata.generation`: leaves out updates of status and metadata alone. */
export const generationChanged: Predicate = (object, previous) =>
  previous === undefined || object.metadata.generation !== previous.metadata.generation

/** Leaves out the equal objects that come with a relist. */
export const resourceVersionChanged: Predicate = (object, previous) =>
  previous === undefined || object.metadata.resourceVersion !== previous.metadata.resourceVersion

export const labelsChanged: Predicate = (object, previous) =>
  previous === undefined || !sameEntries(object.metadata.labels, previous.metadata.labels)

export const annotationsChanged: Predicate = (object, previous) =>
  previous === undefined || !sameEntries(object.metadata.annotations, previous.metadata.annotations)

/** The object began to be deleted with this update, or is gone. */
export const deletionStarted: Predicate = (object, previous) =>
  object.metadata.deletionTimestamp !== undefined && previous?.metadata.deletionTimestamp === undefined

export function anyOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (object, previous) => predicates.some((predicate) => predicate(object, previous))
}

export function allOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (object, previous) => predicates.every((predicate) => predicate(object, previous))
}

type Entries = Readonly<Record<string, string>>

function sameEntries(left: Entries = {}, right: Entries = {}): boolean {
  const keys = Object.keys(left)
  return keys.length === Object.keys(right).length && keys.every((key) => left[key] === right[key])
}
