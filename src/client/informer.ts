import type { KindDefinition } from '../api/kind.ts'
import { keyOf, type KubeObject } from '../api/meta/object.ts'
import type { Random } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { EventHandler, IndexFunction, Informer, InformerOptions, Lister } from './cache.ts'
import type { Client } from './client.ts'
import { CacheError, IndexedCache } from './indexed-cache.ts'
import { runReflector, type ReflectorSink } from './reflector.ts'

export interface InformerDependencies {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** What informers keep of an object of this kind, where they are not told a transform of their own. Default: all of it. */
  readonly transformOf?: (kind: KindDefinition) => ((object: KubeObject) => KubeObject) | undefined
}

/** Objects of a full list handled before other work gets a turn. */
const CHUNK = 1_000

/** An informer that is not shared: see `createInformerFactory` for the usual way to get one. */
export function createInformer<T extends KubeObject>(
  kind: KindDefinition<T>,
  dependencies: InformerDependencies,
  options: InformerOptions = {},
): Informer<T> {
  return new CachingInformer(kind, dependencies, options)
}

class CachingInformer<T extends KubeObject> implements Informer<T>, ReflectorSink<T> {
  readonly kind: KindDefinition<T>
  readonly #dependencies: InformerDependencies
  readonly #options: InformerOptions
  readonly #log: Logger
  readonly #cache: IndexedCache<T>
  readonly #handlers = new Set<EventHandler<T>>()
  readonly #waiters = new Set<() => void>()
  #started = false
  synced = false

  constructor(kind: KindDefinition<T>, dependencies: InformerDependencies, options: InformerOptions) {
    this.kind = kind
    this.#dependencies = dependencies
    this.#options = options
    this.#log = dependencies.log.child({ informer: kind.plural })
    this.#cache = new IndexedCache((index, error) => this.#log.error('index function failed', { index, error }))
  }

  get lister(): Lister<T> {
    return this.#cache
  }

  addHandler(handler: EventHandler<T>): () => void {
    for (const object of this.#cache.list()) this.#call(() => handler.add?.(object))
    this.#handlers.add(handler)
    return () => void this.#handlers.delete(handler)
  }

  addIndex(name: string, fn: IndexFunction<T>): void {
    if (this.#started) throw new CacheError('AlreadyStarted', `informer of ${this.kind.plural} runs: add index "${name}" before it starts`)
    this.#cache.addIndex(name, fn)
  }

  whenSynced(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.synced) return resolve()
      if (signal?.aborted) return reject(signal.reason as Error)
      const onSynced = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const onAbort = (): void => {
        this.#waiters.delete(onSynced)
        reject(signal?.reason as Error)
      }
      this.#waiters.add(onSynced)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#started) throw new CacheError('AlreadyStarted', `informer of ${this.kind.plural} runs already`)
    this.#started = true
    const { client, clock, random } = this.#dependencies
    const { namespace, labelSelector, fieldSelector } = this.#options
    const resource = client.of(this.kind)
    const given = this.#options.transform ?? this.#dependencies.transformOf?.(this.kind as unknown as KindDefinition)
    const transform = given && ((seen: T): T => this.#transformed(seen, given))
    const log = this.#log
    const options = {
      resource,
      sink: this,
      clock,
      random,
      log,
      namespace,
      labelSelector,
      fieldSelector,
      ...(transform ? { transform } : {}),
    }
    await runReflector(options, signal)
  }

  // the reflector's side

  async replace(objects: readonly T[]): Promise<void> {
    const gone = new Set(this.#cache.keys())
    let count = 0
    for (const object of objects) {
      gone.delete(keyOf(object))
      this.set(object)
      if (++count % CHUNK === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    }
    for (const key of gone) this.#remove(key)
    this.synced = true
    for (const waiter of this.#waiters) waiter()
    this.#waiters.clear()
  }

  set(object: T): void {
    const previous = this.#cache.get(keyOf(object))
    // another object under the same name: its deletion was missed
    const replaced = previous && previous.metadata.uid !== object.metadata.uid
    if (replaced) this.#remove(keyOf(object))
    this.#cache.set(object)
    for (const handler of this.#handlers) {
      if (previous && !replaced) this.#call(() => handler.update?.(object, previous))
      else this.#call(() => handler.add?.(object))
    }
  }

  delete(object: T): void {
    if (this.#cache.delete(keyOf(object))) for (const handler of this.#handlers) this.#call(() => handler.delete?.(object))
  }

  #transformed(seen: T, transform: (object: KubeObject) => KubeObject): T {
    try {
      return transform(seen) as T
    } catch (error) {
      this.#log.error('transform failed, the object is kept as it is', { key: keyOf(seen), error })
      return seen
    }
  }

  #remove(key: string): void {
    const last = this.#cache.delete(key)
    if (last) for (const handler of this.#handlers) this.#call(() => handler.delete?.(last))
  }

  #call(deliver: () => void): void {
    try {
      deliver()
    } catch (error) {
      this.#log.error('event handler failed', { error })
    }
  }
}
