import type { KindDefinition } from '../api/kind.ts'
import type { KubeObject } from '../api/meta/object.ts'
import { sharedSignal } from '../base/shared-signal.ts'
import type { Informer, InformerFactory, InformerOptions } from './cache.ts'
import { createInformer, type InformerDependencies } from './informer.ts'

/** An informer factory that also runs what it made. */
export interface RunnableInformerFactory extends InformerFactory {
  /** Runs all informers, those made later too (from their next tick on, so that indexes can be added), until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** All informers made so far are synced. */
  whenSynced(signal?: AbortSignal): Promise<void>
  /** Plural names of informers not synced yet. */
  pending(): readonly string[]
}

/** Shares one informer per kind, selection and transform. */
export function createInformerFactory(dependencies: InformerDependencies): RunnableInformerFactory {
  return new SharedInformers(dependencies)
}

class SharedInformers implements RunnableInformerFactory {
  readonly #dependencies: InformerDependencies
  readonly #informers = new Map<string, Informer<any>>()
  readonly #transforms = new Map<unknown, number>()
  readonly #running = new Set<Promise<void>>()
  #signal: AbortSignal | undefined

  constructor(dependencies: InformerDependencies) {
    this.#dependencies = dependencies
  }

  informer<T extends KubeObject>(kind: KindDefinition<T>, options: InformerOptions = {}): Informer<T> {
    const key = this.#keyOf(kind, options)
    const found = this.#informers.get(key)
    if (found) return found as Informer<T>
    const informer = createInformer(kind, this.#dependencies, options)
    this.#informers.set(key, informer)
    if (this.#signal) queueMicrotask(() => this.#start(informer))
    return informer
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = sharedSignal(signal)
    for (const informer of this.#informers.values()) this.#start(informer)
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    await Promise.allSettled(this.#running)
  }

  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.whenSynced(signal)))
  }

  pending(): readonly string[] {
    return [...this.#informers.values()].filter((informer) => !informer.synced).map((informer) => informer.kind.plural)
  }

  #start(informer: Informer<any>): void {
    if (!this.#signal || this.#signal.aborted) return
    const run = informer
      .run(this.#signal)
      .catch((error: unknown) => this.#dependencies.log.error('informer stopped', { informer: informer.kind.plural, error }))
      .finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  #keyOf(kind: KindDefinition<any>, options: InformerOptions): string {
    const { namespace, labelSelector, fieldSelector, transform } = options
    if (transform && !this.#transforms.has(transform)) this.#transforms.set(transform, this.#transforms.size)
    const selection = [namespace ?? null, labelSelector ?? null, fieldSelector ?? null, transform ? this.#transforms.get(transform) : null]
    return JSON.stringify([kind.group, kind.version, kind.plural, ...selection])
  }
}
