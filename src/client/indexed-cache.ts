import { keyOf, type KubeObject } from '../api/meta/object.ts'
import type { IndexFunction, Lister } from './cache.ts'

/**
 * Objects by key, by namespace and by declared indexes. What `list` and `byIndex` return is a snapshot: it never
 * changes, and it is made at most once between two changes. Source: k8s.io/client-go/tools/cache ThreadSafeStore.
 */
export class IndexedCache<T extends KubeObject> implements Lister<T> {
  readonly #onIndexError: ((index: string, error: unknown) => void) | undefined
  readonly #all = new Bucket<T>()
  readonly #namespaces = new Map<string, Bucket<T>>()
  readonly #indexes = new Map<string, Index<T>>()

  /** @param onIndexError told when an index function throws; the object is then not found by that index. Default: it throws */
  constructor(onIndexError?: (index: string, error: unknown) => void) {
    this.#onIndexError = onIndexError
  }

  get size(): number {
    return this.#all.objects.size
  }

  get(key: string): T | undefined {
    return this.#all.objects.get(key)
  }

  list(namespace?: string): readonly T[] {
    return namespace === undefined ? this.#all.snapshot() : (this.#namespaces.get(namespace)?.snapshot() ?? EMPTY)
  }

  byIndex(index: string, value: string): readonly T[] {
    const found = this.#indexes.get(index)
    if (!found) throw new CacheError('UnknownIndex', `no index "${index}": declare it with addIndex before the informer starts`)
    return found.buckets.get(value)?.snapshot() ?? EMPTY
  }

  /** Objects already present are indexed too. @throws {CacheError} `IndexExists` when `name` has another function */
  addIndex(name: string, fn: IndexFunction<T>): void {
    const found = this.#indexes.get(name)
    if (found?.fn === fn) return
    if (found) throw new CacheError('IndexExists', `index "${name}" exists with another function: choose another name`)
    const index: Index<T> = { fn, valuesOf: this.#guard(name, fn), buckets: new Map() }
    this.#indexes.set(name, index)
    for (const [key, object] of this.#all.objects) for (const value of index.valuesOf(object)) put(index.buckets, value, key, object)
  }

  /** Adds or replaces. @returns what was there before */
  set(object: T): T | undefined {
    const known = keyOf(object)
    const previous = this.#all.objects.get(known)
    // joined anew for a new object: a string made by `+` keeps its parts, which costs more than itself
    const key = previous ? known : known.split('/').join('/')
    this.#all.set(key, object)
    put(this.#namespaces, object.metadata.namespace ?? '', key, object)
    for (const index of this.#indexes.values()) {
      const values = index.valuesOf(object)
      if (previous) for (const old of index.valuesOf(previous)) if (!values.includes(old)) drop(index.buckets, old, key)
      for (const value of values) put(index.buckets, value, key, object)
    }
    return previous
  }

  /** @returns what was removed */
  delete(key: string): T | undefined {
    const previous = this.#all.objects.get(key)
    if (!previous) return undefined
    this.#all.delete(key)
    drop(this.#namespaces, previous.metadata.namespace ?? '', key)
    for (const index of this.#indexes.values()) for (const value of index.valuesOf(previous)) drop(index.buckets, value, key)
    return previous
  }

  keys(): IterableIterator<string> {
    return this.#all.objects.keys()
  }

  #guard(name: string, fn: IndexFunction<T>): IndexFunction<T> {
    const onError = this.#onIndexError
    if (!onError) return fn
    return (object) => {
      try {
        return fn(object)
      } catch (error) {
        onError(name, error)
        return EMPTY
      }
    }
  }
}

/** Error of a cache or informer. Match on `code`. */
export class CacheError extends Error {
  override readonly name = 'CacheError'
  readonly code: 'UnknownIndex' | 'IndexExists' | 'AlreadyStarted'

  constructor(code: CacheError['code'], message: string) {
    super(message)
    this.code = code
  }
}

interface Index<T> {
  /** As declared: tells two declarations apart. */
  readonly fn: IndexFunction<T>
  readonly valuesOf: IndexFunction<T>
  readonly buckets: Map<string, Bucket<T>>
}

const EMPTY: readonly never[] = []

class Bucket<T> {
  readonly objects = new Map<string, T>()
  #snapshot: readonly T[] | undefined

  set(key: string, object: T): void {
    this.objects.set(key, object)
    this.#snapshot = undefined
  }

  delete(key: string): void {
    this.objects.delete(key)
    this.#snapshot = undefined
  }

  snapshot(): readonly T[] {
    return (this.#snapshot ??= [...this.objects.values()])
  }
}

function put<T>(buckets: Map<string, Bucket<T>>, value: string, key: string, object: T): void {
  let bucket = buckets.get(value)
  if (!bucket) buckets.set(value, (bucket = new Bucket()))
  bucket.set(key, object)
}

function drop<T>(buckets: Map<string, Bucket<T>>, value: string, key: string): void {
  const bucket = buckets.get(value)
  bucket?.delete(key)
  if (bucket?.objects.size === 0) buckets.delete(value)
}
