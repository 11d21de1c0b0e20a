import type { KubeObject, WatchEvent } from '../api/meta/object.ts'
import type { Clock } from '../base/clock.ts'
import { StatusError } from '../base/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from './transport.ts'
import { matchesSelectors, mergePatch, parseTarget, type Target } from './fake-api-request.ts'

/** One change as watchers see it. */
interface Change {
  readonly revision: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly collection: string
  readonly object: KubeObject
}

interface DeleteBody {
  readonly preconditions?: { readonly uid?: string }
}

/**
 * A test double of an API server for tests of the client and controller kernel alone: every kind is accepted as it comes.
 * It has revisions, conflicts, generation, the status subresource, merge patches, finalizers, list, watch with resume,
 * `Expired`, bookmarks and WatchList. It has no schemas, defaults, admission, strategic patches or authorization:
 * everything else tests against `startTestCluster`.
 */
export class FakeApi implements Transport {
  readonly #clock: Clock
  /** By collection, then by `namespace/name`. */
  readonly #objects = new Map<string, Map<string, KubeObject>>()
  readonly #changes: Change[] = []
  readonly #watchers = new Set<() => void>()
  #revision = 1
  #compacted = 0
  #sequence = 0
  /** Every request answered so far: `GET /api/v1/pods?watch=true`. */
  readonly requests: string[] = []
  /** Called before each request: throw to fail it, or return false to break its connection. */
  intercept: ((request: ApiRequest) => void | boolean | Promise<void>) | undefined
  /** Answers WatchList with 422 when false, as older servers do. */
  watchList = true
  #connections = new Set<AbortController>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get revision(): number {
    return this.#revision
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    request.signal?.throwIfAborted()
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(request.query ?? {})) if (typeof value === 'string') query.set(name, value)
    this.requests.push(`${request.method} ${request.path}${query.size > 0 ? `?${query.toString()}` : ''}`)
    if ((await this.intercept?.(request)) === false) throw new Error('connection broken')
    const target = parseTarget(request.path)
    if (request.method === 'GET' && query.get('watch') === 'true') return this.#respondWatch(target, query, request.signal)
    return respond(structuredClone(this.#handle(request, target, query)))
  }

  async close(): Promise<void> {
    this.disconnect()
  }

  /** Breaks all watches, as a server that dies. */
  disconnect(): void {
    for (const connection of this.#connections) connection.abort(new Error('connection broken'))
    this.#connections.clear()
  }

  /** Forgets history: watches from before now are answered `Expired`. */
  compact(): void {
    this.#compacted = this.#revision
    this.#changes.length = 0
  }

  #handle(request: ApiRequest, target: Target, query: URLSearchParams): unknown {
    const body = structuredClone(request.body) as KubeObject
    if (request.method === 'GET') return target.name === '' ? this.#list(target, query) : this.#existing(target)
    if (request.method === 'POST') return target.name === '' ? this.#create(target, body) : { kind: 'Status', status: 'Success' }
    if (request.method === 'PUT') return this.#update(target, body)
    if (request.method === 'DELETE') return target.name === '' ? this.#deleteAll(target, query) : this.#delete(target, body as DeleteBody)
    if (request.headers?.['content-type'] !== 'application/merge-patch+json') {
      throw new StatusError('UnsupportedMediaType', 'the fake API knows merge patches only')
    }
    const { resourceVersion: _resourceVersion, ...metadata } = this.#existing(target).metadata
    const patched = mergePatch({ ...this.#existing(target), metadata }, body) as KubeObject
    return this.#update(target, patched)
  }

  #collection(target: Target): Map<string, KubeObject> {
    let found = this.#objects.get(target.collection)
    if (!found) this.#objects.set(target.collection, (found = new Map()))
    return found
  }

  #existing(target: Target): KubeObject {
    const found = this.#collection(target).get(`${target.namespace}/${target.name}`)
    if (!found)
      throw new StatusError('NotFound', `${target.plural} "${target.name}" not found`, {
        details: { name: target.name, kind: target.plural },
      })
    return found
  }

  #list(target: Target, query: URLSearchParams): unknown {
    const all = [...this.#collection(target).values()].filter((object) => this.#selects(target, query, object))
    const offset = Number(query.get('continue') ?? 0)
    const limit = Number(query.get('limit') ?? 0) || all.length
    const next = offset + limit < all.length ? { continue: String(offset + limit), remainingItemCount: all.length - offset - limit } : {}
    const items = all.slice(offset, offset + limit).map(({ apiVersion: _apiVersion, kind: _kind, ...rest }) => rest)
    return { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: String(this.#revision), ...next }, items }
  }

  #create(target: Target, object: KubeObject): KubeObject {
    const { metadata } = object
    metadata.name ??= `${metadata.generateName ?? ''}${(this.#sequence++).toString(36).padStart(5, '0')}`
    if (target.namespace) metadata.namespace = target.namespace
    if (this.#collection(target).has(`${target.namespace}/${metadata.name}`)) {
      throw new StatusError('AlreadyExists', `${target.plural} "${metadata.name}" already exists`)
    }
    metadata.uid = `uid-${this.#revision + 1}`
    metadata.generation = 1
    metadata.creationTimestamp = new Date(this.#clock.now()).toISOString()
    return this.#commit(target, 'ADDED', object)
  }

  #update(target: Target, object: KubeObject): KubeObject {
    const current = this.#existing(target) as KubeObject & { spec?: unknown; status?: unknown }
    const { resourceVersion } = object.metadata
    if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) {
      throw new StatusError('Conflict', `${target.plural} "${target.name}": the object has been modified`)
    }
    const { uid, generation, creationTimestamp, deletionTimestamp } = current.metadata
    const kept = { ...object.metadata, uid, generation, creationTimestamp, ...(deletionTimestamp ? { deletionTimestamp } : {}) }
    const next =
      target.subresource === 'status'
        ? { ...current, metadata: { ...current.metadata }, status: (object as { status?: unknown }).status }
        : { ...object, metadata: kept, ...('status' in current ? { status: current.status } : {}) }
    if (JSON.stringify((next as { spec?: unknown }).spec) !== JSON.stringify(current.spec)) {
      next.metadata = { ...next.metadata, generation: (generation ?? 0) + 1 }
    }
    if (deletionTimestamp && (next.metadata.finalizers ?? []).length === 0) return this.#remove(target, next)
    if (JSON.stringify({ ...next, metadata: { ...next.metadata, resourceVersion: '' } }) === unversioned(current)) return current
    return this.#commit(target, 'MODIFIED', next)
  }

  #delete(target: Target, options: DeleteBody | undefined): KubeObject {
    const current = this.#existing(target)
    const uid = options?.preconditions?.uid
    if (uid && uid !== current.metadata.uid) throw new StatusError('Conflict', `uid precondition failed on ${target.name}`)
    if ((current.metadata.finalizers ?? []).length === 0) return this.#remove(target, current)
    if (current.metadata.deletionTimestamp) return current
    const deletionTimestamp = new Date(this.#clock.now()).toISOString()
    return this.#commit(target, 'MODIFIED', { ...current, metadata: { ...current.metadata, deletionTimestamp } })
  }

  #deleteAll(target: Target, query: URLSearchParams): unknown {
    for (const object of this.#collection(target).values()) {
      if (!this.#selects(target, query, object)) continue
      this.#delete({ ...target, name: object.metadata.name, namespace: object.metadata.namespace ?? '' }, undefined)
    }
    return { kind: 'Status', status: 'Success' }
  }

  #remove(target: Target, object: KubeObject): KubeObject {
    this.#collection(target).delete(`${object.metadata.namespace ?? ''}/${object.metadata.name}`)
    return this.#commit(target, 'DELETED', object)
  }

  #commit(target: Target, type: Change['type'], object: KubeObject): KubeObject {
    const revision = ++this.#revision
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
    if (type !== 'DELETED') this.#collection(target).set(`${stored.metadata.namespace ?? ''}/${stored.metadata.name}`, stored)
    this.#changes.push({ revision, type, collection: target.collection, object: stored })
    for (const wake of this.#watchers) wake()
    return stored
  }

  #selects(target: Target, query: URLSearchParams, object: KubeObject): boolean {
    if (target.namespace && object.metadata.namespace !== target.namespace) return false
    return matchesSelectors(object, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '')
  }

  #respondWatch(target: Target, query: URLSearchParams, signal: AbortSignal | undefined): ApiResponse {
    if (query.get('sendInitialEvents') === 'true' && !this.watchList) {
      throw new StatusError('Invalid', 'sendInitialEvents is forbidden for watch')
    }
    const connection = new AbortController()
    this.#connections.add(connection)
    const stop = signal ? AbortSignal.any([signal, connection.signal]) : connection.signal
    return { ...respond(undefined), events: () => this.#events(target, query, stop) }
  }

  async *#events(target: Target, query: URLSearchParams, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    let revision = Number(query.get('resourceVersion') ?? 0) || this.#revision
    if (query.get('sendInitialEvents') === 'true') {
      revision = this.#revision
      yield* this.#initialEvents(target, query)
    }
    for (;;) {
      if (revision < this.#compacted) {
        const expired = new StatusError('Expired', `too old resource version: ${revision} (${this.#compacted})`)
        return yield { type: 'ERROR', object: expired.toBody() as unknown as KubeObject }
      }
      for (const change of this.#changes.filter((one) => one.revision > revision)) {
        revision = change.revision
        if (change.collection !== target.collection || !this.#selects(target, query, change.object)) continue
        yield { type: change.type, object: structuredClone(change.object) }
      }
      signal.throwIfAborted()
      if (revision < this.#revision) continue
      await this.#nextChange(signal)
    }
  }

  *#initialEvents(target: Target, query: URLSearchParams): Generator<WatchEvent> {
    const metadata = { name: '', resourceVersion: String(this.#revision), annotations: { 'k8s.io/initial-events-end': 'true' } }
    for (const object of Array.from(this.#collection(target).values())) {
      if (this.#selects(target, query, object)) yield { type: 'ADDED', object: structuredClone(object) }
    }
    yield { type: 'BOOKMARK', object: { metadata } }
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        this.#watchers.delete(wake)
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#watchers.delete(wake)
        reject(signal.reason as Error)
      }
      this.#watchers.add(wake)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}

function unversioned(object: KubeObject): string {
  return JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: '' } })
}

function respond(value: unknown): ApiResponse {
  const wrong = (): never => {
    throw new Error('this answer is not a stream')
  }
  return { status: 200, headers: {}, object: async () => value, events: wrong, stream: wrong }
}
