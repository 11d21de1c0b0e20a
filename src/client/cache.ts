import type { KindDefinition } from '../api/kind.ts'
import type { KubeObject } from '../api/meta/object.ts'

/** Read-only view of what an informer has seen. Objects are shared: never change one, clone it first. */
export interface Lister<T extends KubeObject> {
  /** By `namespace/name`, or `name` for cluster-scoped kinds (see `keyOf`). */
  get(key: string): T | undefined
  /** All, or those of one namespace. */
  list(namespace?: string): readonly T[]
  /** Objects whose index function returned `value`. @throws when no such index was declared */
  byIndex(index: string, value: string): readonly T[]
  readonly size: number
}

/** Called in order, one event at a time, after the lister shows the change. Must not throw and must not block. */
export interface EventHandler<T extends KubeObject> {
  add?(object: T): void
  /** Also called on a resync or relist with an equal object: compare resourceVersion to tell. */
  update?(next: T, previous: T): void
  /** `object` is the last state known; it may be stale when the deletion was only noticed by a relist. */
  delete?(object: T): void
}

export type IndexFunction<T> = (object: T) => readonly string[]

/** Keeps a local copy of one kind, from list and watch, for ever. */
export interface Informer<T extends KubeObject> {
  readonly kind: KindDefinition<T>
  readonly lister: Lister<T>
  /** A handler added late is given the present objects as `add`. @returns a function that removes it */
  addHandler(handler: EventHandler<T>): () => void
  /** May be called until `start`. */
  addIndex(name: string, fn: IndexFunction<T>): void
  /** The first full list is in the lister and all handlers have seen it. */
  readonly synced: boolean
  whenSynced(signal?: AbortSignal): Promise<void>
  /** Runs until the signal aborts; the promise settles when everything has stopped. */
  run(signal: AbortSignal): Promise<void>
}

export interface InformerOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Applied before an object is cached: drop what is not needed to save memory. */
  readonly transform?: (object: KubeObject) => KubeObject
}

/** Shares one informer per kind and options. */
export interface InformerFactory {
  informer<T extends KubeObject>(kind: KindDefinition<T>, options?: InformerOptions): Informer<T>
}
