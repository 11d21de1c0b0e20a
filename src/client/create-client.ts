import type { KindDefinition } from '../api/kind.ts'
import { apiVersionOf, type Draft, type KubeList, type KubeObject, type WatchEvent } from '../api/meta/object.ts'
import { StatusError, isStatus } from '../base/errors.ts'
import { sharedSignal } from '../base/shared-signal.ts'
import type { Client, DeleteOptions, ListOptions, PatchType, ReadOptions, ResourceClient, WatchOptions, WriteOptions } from './client.ts'
import { resourcePath } from './resource-path.ts'
import type { ApiRequest, Transport } from './transport.ts'

const PATCH_CONTENT_TYPES: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** Objects a page of `listAll` has. Source: k8s.io/client-go/tools/pager. */
const PAGE_SIZE = 500

/** All verbs on every kind over `transport`. Holds no state of its own but the clients already made. */
export function createClient(transport: Transport): Client {
  const made = new WeakMap<object, ResourceClient<KubeObject>>()
  return {
    transport,
    of<T extends KubeObject>(kind: KindDefinition<T>): ResourceClient<T> {
      let client = made.get(kind) as ResourceClient<T> | undefined
      if (!client) {
        client = new KindClient(transport, kind)
        made.set(kind, client as unknown as ResourceClient<KubeObject>)
      }
      return client
    },
  }
}

class KindClient<T extends KubeObject> implements ResourceClient<T> {
  readonly kind: KindDefinition<T>
  readonly #transport: Transport
  readonly #typeMeta: { readonly apiVersion: string; readonly kind: string }

  constructor(transport: Transport, kind: KindDefinition<T>) {
    this.#transport = transport
    this.kind = kind
    this.#typeMeta = { apiVersion: apiVersionOf(kind), kind: kind.kind }
  }

  async get(name: string, options: ReadOptions & { readonly subresource?: string } = {}): Promise<T> {
    const { namespace, subresource, resourceVersion } = options
    return this.#object<T>({ method: 'GET', path: this.#path({ namespace, name, subresource }), query: { resourceVersion } }, options)
  }

  async list(options: ListOptions = {}): Promise<KubeList<T>> {
    const query = {
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.limit === undefined ? undefined : String(options.limit),
      continue: options.continue,
      resourceVersion: options.resourceVersion,
      resourceVersionMatch: options.resourceVersionMatch,
    }
    const list = await this.#object<KubeList<T>>({ method: 'GET', path: this.#path({ namespace: options.namespace }), query }, options)
    // items of a list come without their type: it is put back, so that an object can be passed on alone
    list.items ??= []
    for (const item of list.items) {
      item.apiVersion ??= this.#typeMeta.apiVersion
      item.kind ??= this.#typeMeta.kind
    }
    return list
  }

  async listAll(options: ListOptions = {}): Promise<KubeList<T>> {
    const first = await this.list({ limit: PAGE_SIZE, ...options })
    const items = [first.items]
    try {
      for (let next = first.metadata.continue; next;) {
        // the continue token pins the revision; a revision given again would be refused
        const { resourceVersion: _rv, resourceVersionMatch: _match, ...rest } = options
        const page = await this.list({ limit: PAGE_SIZE, ...rest, continue: next })
        items.push(page.items)
        next = page.metadata.continue
      }
    } catch (error) {
      if (!isStatus(error, 'Expired', 'Gone')) throw error
      // compaction overtook the paging: once more, in one piece. Source: client-go pager FullListIfExpired
      const { limit: _limit, continue: _continue, ...rest } = options
      return this.list(rest)
    }
    const { continue: _continue, remainingItemCount: _remaining, ...metadata } = first.metadata
    return { ...first, metadata, items: items.length === 1 ? first.items : items.flat() }
  }

  async *watch(options: WatchOptions = {}): AsyncIterable<WatchEvent<T>> {
    const query = {
      watch: 'true',
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds === undefined ? undefined : String(options.timeoutSeconds),
      allowWatchBookmarks: options.allowWatchBookmarks ? 'true' : undefined,
      sendInitialEvents: options.sendInitialEvents === undefined ? undefined : String(options.sendInitialEvents),
      // the server insists on it whenever sendInitialEvents is set
      resourceVersionMatch: options.sendInitialEvents === undefined ? undefined : 'NotOlderThan',
    }
    const response = await this.#send({ method: 'GET', path: this.#path({ namespace: options.namespace }), query }, options)
    yield* response.events() as AsyncIterable<WatchEvent<T>>
  }

  async create(object: Draft<T>, options: WriteOptions = {}): Promise<T> {
    const { subresource } = options
    const namespace = this.#namespaceOf(object, options)
    if (this.kind.namespaced && !namespace) {
      throw new StatusError('BadRequest', `an empty namespace may not be set during creation (${this.kind.kind})`)
    }
    const name = subresource ? object.metadata.name : undefined
    const path = this.#path({ namespace, name, subresource })
    return this.#object<T>({ method: 'POST', path, query: writeQuery(options), body: this.#typed(object) }, options)
  }

  async update(object: T, options: WriteOptions = {}): Promise<T> {
    const { subresource } = options
    const path = this.#path({ namespace: this.#namespaceOf(object, options), name: object.metadata.name, subresource })
    return this.#object<T>({ method: 'PUT', path, query: writeQuery(options), body: this.#typed(object) }, options)
  }

  async updateStatus(object: T, options: WriteOptions = {}): Promise<T> {
    return this.update(object, { ...options, subresource: 'status' })
  }

  async patch(name: string, patch: unknown, options: WriteOptions & { readonly type: PatchType; readonly force?: boolean }): Promise<T> {
    const { namespace, subresource } = options
    const query = { ...writeQuery(options), force: options.force === undefined ? undefined : String(options.force) }
    const headers = { 'content-type': PATCH_CONTENT_TYPES[options.type] }
    return this.#object<T>({ method: 'PATCH', path: this.#path({ namespace, name, subresource }), query, headers, body: patch }, options)
  }

  async createSubresource(name: string, subresource: string, body: unknown, options: WriteOptions = {}): Promise<unknown> {
    const path = this.#path({ namespace: options.namespace, name, subresource })
    return this.#object({ method: 'POST', path, query: writeQuery(options), body }, options)
  }

  async delete(name: string, options: DeleteOptions = {}): Promise<unknown> {
    const { namespace, subresource } = options
    return this.#object({ method: 'DELETE', path: this.#path({ namespace, name, subresource }), ...deleteBody(options) }, options)
  }

  async deleteCollection(
    options: DeleteOptions & { readonly labelSelector?: string; readonly fieldSelector?: string } = {},
  ): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = options
    const query = { labelSelector, fieldSelector }
    await this.#object({ method: 'DELETE', path: this.#path({ namespace }), query, ...deleteBody(options) }, options)
  }

  #path(target: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined }): string {
    return resourcePath(this.kind, target)
  }

  #namespaceOf(object: Draft<T>, options: WriteOptions): string | undefined {
    return options.namespace ?? object.metadata.namespace
  }

  /** Objects may come without type (read from a list by another client); other types (Scale) keep their own. */
  #typed(object: Draft<T>): unknown {
    return object.apiVersion && object.kind ? object : { ...this.#typeMeta, ...withoutEmptyType(object) }
  }

  #send(request: ApiRequest, options: ReadOptions | WriteOptions): ReturnType<Transport['send']> {
    return this.#transport.send(options.signal ? { ...request, signal: sharedSignal(options.signal) } : request)
  }

  async #object<R = unknown>(request: ApiRequest, options: ReadOptions | WriteOptions): Promise<R> {
    const response = await this.#send(request, options)
    return (await response.object()) as R
  }
}

function withoutEmptyType<T extends KubeObject>(object: Draft<T>): object {
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object
  return rest
}

function writeQuery(options: WriteOptions): Record<string, string | undefined> {
  return {
    fieldManager: options.fieldManager,
    dryRun: options.dryRun ? 'All' : undefined,
    fieldValidation: options.fieldValidation,
  }
}

/** Options of a delete travel in the body; none are sent when all are defaults. */
function deleteBody(options: DeleteOptions): { body?: unknown } {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options
  if (gracePeriodSeconds === undefined && !propagationPolicy && !preconditions && !dryRun) return {}
  return {
    body: {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(propagationPolicy ? { propagationPolicy } : {}),
      ...(preconditions ? { preconditions } : {}),
      ...(dryRun ? { dryRun: ['All'] } : {}),
    },
  }
}
