import type { CommonResources, EncodedResource, GeneratedResource, Generator, SourceResource } from './contract.ts'
import { encodeResource, versionOf } from './encode-resource.ts'

/** Encoded resources that belong together, such as those that many proxies have in common. Immutable. */
export interface Layer {
  /** What it was made of. */
  readonly source: readonly SourceResource[]
  /** By type URL, then name; the same map as in the layer before where nothing of the type has changed. */
  readonly types: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>
  /** Of shared layers: what is to be the same object for all who have it. */
  readonly common: ReadonlyMap<string, CommonResources>
}

interface OwnLayer extends Layer {
  readonly common: Map<string, CommonResources>
  readonly entries: readonly PoolEntry[]
  users: number
}

/** One content, whoever has it. */
interface PoolEntry {
  readonly key: string
  readonly resource: EncodedResource
  users: number
}

export const NO_LAYER: Layer = { source: [], types: new Map(), common: new Map() }

/** Makes layers. Content is encoded once, wherever it occurs; what no layer has any more is forgotten. */
export class LayerMaker {
  readonly #pool: Map<string, PoolEntry> = new Map()
  /** What was made of objects that have not changed. */
  readonly #made: Map<Generator, WeakMap<SourceResource, PoolEntry>> = new Map()
  readonly #shared: Map<Generator, Map<readonly SourceResource[], OwnLayer>> = new Map()

  /** Resources in the pool. */
  get size(): number {
    return this.#pool.size
  }

  /** The layer of an array that several proxies have. @param before what to compare with */
  shared(generator: Generator, source: readonly SourceResource[], before: Layer | undefined): Layer {
    const known = getOrMake(this.#shared, generator, () => new Map<readonly SourceResource[], OwnLayer>())
    const found = known.get(source)
    if (found) return this.hold(found)
    const layer = this.make(generator, '', source, before) as OwnLayer
    for (const [typeUrl, resources] of layer.types) {
      const was = before?.common.get(typeUrl)
      const names = was && hasSameNames(was.names, resources) ? was.names : new Set(resources.keys())
      layer.common.set(typeUrl, { resources, names })
    }
    known.set(source, layer)
    return layer
  }

  /** A layer of one proxy. Hold and release are counted: it is held once. @throws for two resources of one type and name */
  make(generator: Generator, proxy: string, source: readonly SourceResource[], before: Layer | undefined): Layer {
    const generated = generator.independent ? this.#each(generator, source) : this.#take(generator, generator.generate(proxy, source))
    const types = new Map<string, Map<string, EncodedResource>>()
    for (const { typeUrl, entry } of generated) {
      const names = getOrMake(types, typeUrl, () => new Map<string, EncodedResource>())
      const { resource } = entry
      if (names.has(resource.name)) {
        for (const one of generated) this.#drop(one.entry)
        throw new Error(`two resources of ${typeUrl} are called "${resource.name}"${proxy === '' ? '' : ` for proxy ${proxy}`}`)
      }
      names.set(resource.name, resource)
    }
    for (const [typeUrl, names] of types) {
      const was = before?.types.get(typeUrl)
      if (was && isSame(was, names)) types.set(typeUrl, was as Map<string, EncodedResource>)
    }
    const layer: OwnLayer = { source, types, common: new Map(), entries: generated.map(({ entry }) => entry), users: 1 }
    return layer
  }

  hold(layer: Layer): Layer {
    if (layer !== NO_LAYER) (layer as OwnLayer).users++
    return layer
  }

  release(layer: Layer): void {
    if (layer === NO_LAYER) return
    const held = layer as OwnLayer
    if (--held.users > 0) return
    for (const known of this.#shared.values()) if (known.get(held.source) === held) known.delete(held.source)
    for (const entry of held.entries) this.#drop(entry)
  }

  #each(generator: Generator, source: readonly SourceResource[]): { typeUrl: string; entry: PoolEntry }[] {
    const made = getOrMake(this.#made, generator, () => new WeakMap<SourceResource, PoolEntry>())
    return source.flatMap((one) => {
      const known = made.get(one)
      // an entry that no layer had is not in the pool any more
      if (known && known.users > 0) {
        known.users++
        return [{ typeUrl: typeUrlOf(known), entry: known }]
      }
      const taken = this.#take(generator, generator.generate('', [one]))
      if (taken[0]) made.set(one, taken[0].entry)
      return taken
    })
  }

  #take(generator: Generator, generated: readonly GeneratedResource[]): { typeUrl: string; entry: PoolEntry }[] {
    return generated.map((one) => {
      const version = versionOf(one.bytes)
      const key = `${one.typeUrl}\0${one.name}\0${version}\0${generator.kind}`
      const found = this.#pool.get(key)
      // origins are told with refusals: those of now count, although the bytes are the same
      if (found && sameOrigins(found.resource, one)) {
        found.users++
        return { typeUrl: one.typeUrl, entry: found }
      }
      const entry: PoolEntry = { key, resource: encodeResource(one, version), users: 1 }
      this.#pool.set(key, entry)
      return { typeUrl: one.typeUrl, entry }
    })
  }

  #drop(entry: PoolEntry): void {
    if (--entry.users === 0 && this.#pool.get(entry.key) === entry) this.#pool.delete(entry.key)
  }
}

const typeUrlOf = ({ key }: PoolEntry): string => key.slice(0, key.indexOf('\0'))

function isSame(a: ReadonlyMap<string, EncodedResource>, b: ReadonlyMap<string, EncodedResource>): boolean {
  if (a.size !== b.size) return false
  for (const [name, resource] of b) if (a.get(name) !== resource) return false
  return true
}

function hasSameNames(names: ReadonlySet<string>, resources: ReadonlyMap<string, unknown>): boolean {
  if (names.size !== resources.size) return false
  for (const name of names) if (!resources.has(name)) return false
  return true
}

function sameOrigins(a: EncodedResource, b: GeneratedResource): boolean {
  if (a.origins === b.origins) return true
  return JSON.stringify([a.origins, a.again]) === JSON.stringify([b.origins, b.again])
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
