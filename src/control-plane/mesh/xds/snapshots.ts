import type { ClientKind, CommonResources, EncodedResource, Generator, ResourceChange, ResourceSource, SourceResource } from './contract.ts'
import { changeBetween, type LayerChange } from './layer-change.ts'
import { LayerMaker, NO_LAYER, type Layer } from './layers.ts'

/** What one proxy is to have. */
export interface ProxyResources {
  readonly proxy: string
  readonly kind: ClientKind
  /** What it has alone: the same array as long as nothing of it has changed. */
  readonly own: readonly SourceResource[]
  /** What it has in common with others: the same array for all of them. */
  readonly shared?: readonly SourceResource[]
}

interface ProxySnapshot extends ProxyResources {
  readonly layers: { readonly own: Layer; readonly shared: Layer }
}

/**
 * What each proxy is to have: resources of the intermediate form in, encoded resources out. Equal resources are encoded once and shared by all proxies of a
 * kind; only what has other bytes counts as changed. A layer that proxies have in common is made and compared once, not once for each of them.
 */
export class SnapshotStore implements ResourceSource {
  readonly #generators: ReadonlyMap<ClientKind, Generator>
  readonly #layers: LayerMaker = new LayerMaker()
  readonly #proxies: Map<string, ProxySnapshot> = new Map()
  readonly #listeners: Set<(change: ResourceChange) => void> = new Set()

  constructor(generators: readonly Generator[]) {
    this.#generators = new Map(generators.map((generator) => [generator.kind, generator]))
  }

  /** Encoded resources that are kept. */
  get size(): number {
    return this.#layers.size
  }

  /** Replaces what a proxy is to have, as `apply` does. */
  set(proxy: string, kind: ClientKind, own: readonly SourceResource[], shared?: readonly SourceResource[]): void {
    this.apply([{ proxy, kind, own, ...(shared ? { shared } : {}) }])
  }

  /** Forgets a proxy that is gone. */
  delete(proxy: string): void {
    this.apply([], [proxy])
  }

  /**
   * Replaces what proxies are to have, all at once, and then tells what has changed. Costs what has changed, and one look at each proxy that is named.
   * @param gone proxies that do not exist any more
   * @throws when a generator does, for clients of unknown kinds, and for two resources of one type and name: then nothing is changed
   */
  apply(proxies: Iterable<ProxyResources>, gone: Iterable<string> = []): void {
    const made: ProxySnapshot[] = []
    try {
      for (const wanted of proxies) {
        const before = this.#proxies.get(wanted.proxy)
        if (before?.kind === wanted.kind && before.own === wanted.own && before.shared === wanted.shared) continue
        made.push({ ...wanted, layers: this.#layersOf(wanted, before) })
      }
    } catch (error) {
      for (const { layers } of made) this.#release(layers)
      throw error
    }
    const changes = new Changes()
    const old: ProxySnapshot['layers'][] = []
    for (const snapshot of made) {
      const before = this.#proxies.get(snapshot.proxy)
      this.#proxies.set(snapshot.proxy, snapshot)
      if (before) old.push(before.layers)
      changes.add(snapshot, before)
    }
    for (const proxy of gone) {
      const before = this.#proxies.get(proxy)
      if (!before) continue
      this.#proxies.delete(proxy)
      old.push(before.layers)
      changes.any(proxy)
    }
    for (const layers of old) this.#release(layers)
    for (const change of changes.list()) for (const listener of this.#listeners) listener(change)
  }

  resource(proxy: string, typeUrl: string, name: string): EncodedResource | undefined {
    const layers = this.#proxies.get(proxy)?.layers
    return layers?.own.types.get(typeUrl)?.get(name) ?? layers?.shared.types.get(typeUrl)?.get(name)
  }

  *names(proxy: string, typeUrl: string): Iterable<string> {
    const layers = this.#proxies.get(proxy)?.layers
    const own = layers?.own.types.get(typeUrl)
    if (own) yield* own.keys()
    for (const name of layers?.shared.types.get(typeUrl)?.keys() ?? []) if (!own?.has(name)) yield name
  }

  common(proxy: string, typeUrl: string): CommonResources | undefined {
    return this.#proxies.get(proxy)?.layers.shared.common.get(typeUrl)
  }

  onChange(listener: (change: ResourceChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #layersOf({ proxy, kind, own, shared }: ProxyResources, before: ProxySnapshot | undefined): ProxySnapshot['layers'] {
    const generator = this.#generators.get(kind)
    if (!generator) throw new Error(`no generator for clients of kind "${kind}": known are ${[...this.#generators.keys()].join(', ')}`)
    const known = before?.kind === kind ? before : undefined
    if (!generator.independent) {
      const all = shared ? [...own, ...shared] : own
      return { own: this.#layers.make(generator, proxy, all, known?.layers.own), shared: NO_LAYER }
    }
    const common = shared ? this.#layers.shared(generator, shared, known?.layers.shared) : NO_LAYER
    try {
      const alone = known?.own === own ? this.#layers.hold(known.layers.own) : this.#layers.make(generator, proxy, own, known?.layers.own)
      return { own: alone, shared: common }
    } catch (error) {
      this.#layers.release(common)
      throw error
    }
  }

  #release({ own, shared }: ProxySnapshot['layers']): void {
    this.#layers.release(own)
    this.#layers.release(shared)
  }
}

/** Collects what is told: proxies with the same change together, and each pair of layers compared once. */
class Changes {
  readonly #compared = new Map<Layer, Map<Layer, LayerChange | undefined>>()
  readonly #common = new Map<LayerChange, Set<string>>()
  readonly #single: ResourceChange[] = []
  readonly #any = new Set<string>()

  any(proxy: string): void {
    this.#any.add(proxy)
  }

  add({ proxy, kind, layers }: ProxySnapshot, before: ProxySnapshot | undefined): void {
    if (!before || before.kind !== kind) return this.any(proxy)
    const own = changeBetween(before.layers.own, layers.own)
    const common = this.#compare(before.layers.shared, layers.shared)
    // not put together: what is common has thousands of names
    if (own) this.#single.push({ proxies: new Set([proxy]), ...own })
    if (common) {
      const proxies = this.#common.get(common)
      if (proxies) proxies.add(proxy)
      else this.#common.set(common, new Set([proxy]))
    }
  }

  *list(): Iterable<ResourceChange> {
    for (const [change, proxies] of this.#common) yield { proxies, ...change }
    yield* this.#single
    if (this.#any.size > 0) yield { proxies: this.#any, urgent: false }
  }

  #compare(before: Layer, after: Layer): LayerChange | undefined {
    if (before === after) return undefined
    let known = this.#compared.get(before)
    if (!known) this.#compared.set(before, (known = new Map()))
    if (!known.has(after)) known.set(after, changeBetween(before, after))
    return known.get(after)
  }
}
