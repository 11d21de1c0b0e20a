import type { KindDefinition } from '../api/kind.ts'
import type { Draft, KubeList, KubeObject, WatchEvent } from '../api/meta/object.ts'
import type { Transport } from './transport.ts'

export interface ReadOptions {
  readonly namespace?: string | undefined
  readonly resourceVersion?: string
  readonly signal?: AbortSignal
}

export interface ListOptions extends ReadOptions {
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Page size; the answer's `metadata.continue` asks for the next page. */
  readonly limit?: number
  readonly continue?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
}

export interface WatchOptions extends ReadOptions {
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly timeoutSeconds?: number
  readonly allowWatchBookmarks?: boolean
  /** WatchList: the present objects come first as ADDED, then a BOOKMARK annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean
}

export interface WriteOptions {
  readonly namespace?: string | undefined
  readonly fieldManager?: string
  readonly dryRun?: boolean
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict'
  /** Such as `status`, `scale`, `binding`, `eviction`. */
  readonly subresource?: string
  readonly signal?: AbortSignal
}

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

/**
 * All verbs on one kind. Objects returned belong to the caller.
 * @throws {StatusError} whatever the server refused: `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, ...
 */
export interface ResourceClient<T extends KubeObject> {
  readonly kind: KindDefinition<T>
  get(name: string, options?: ReadOptions & { readonly subresource?: string }): Promise<T>
  list(options?: ListOptions): Promise<KubeList<T>>
  /** Pages through everything at one revision. */
  listAll(options?: ListOptions): Promise<KubeList<T>>
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<T>>
  /** The namespace is `options.namespace`, else the object's own. */
  create(object: Draft<T>, options?: WriteOptions): Promise<T>
  update(object: T, options?: WriteOptions): Promise<T>
  updateStatus(object: T, options?: WriteOptions): Promise<T>
  patch(name: string, patch: unknown, options: WriteOptions & { readonly type: PatchType; readonly force?: boolean }): Promise<T>
  /** POST to a subresource of a named object (`binding`, `eviction`, `token`). */
  createSubresource(name: string, subresource: string, body: unknown, options?: WriteOptions): Promise<unknown>
  /** The object with its deletionTimestamp when it goes away later, else the final Status. */
  delete(name: string, options?: DeleteOptions): Promise<unknown>
  deleteCollection(options?: DeleteOptions & { readonly labelSelector?: string; readonly fieldSelector?: string }): Promise<void>
}

/** Typed by the kind it is given: `client.of(pods).get('web', { namespace: 'default' })`. */
export interface Client {
  readonly transport: Transport
  of<T extends KubeObject>(kind: KindDefinition<T>): ResourceClient<T>
}
