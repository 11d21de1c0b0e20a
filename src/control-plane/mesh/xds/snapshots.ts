import type {
  ClientKind,
  EncodedResource,
  GeneratedResource,
  Generator,
  ResourceChange,
  ResourceSource,
  SourceResource,
} from './contract.ts'
import { encodeResource, versionOf } from './encode-resource.ts'
import { isUrgent } from './urgency.ts'

interface ProxySnapshot {
  readonly kind: ClientKind
  readonly source: ReadonlyMap<string, SourceResource>
  /** By type URL, then name. */
  readonly types: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>
}

const EMPTY: ReadonlyMap<string, EncodedResource> = new Map()

/**
 * What each proxy is to have: resources of the intermediate form in, encoded resources out. Equal resources are encoded once and shared by all proxies of a
 * kind; only what has other bytes counts as changed.
 */
export class SnapshotStore implements ResourceSource {
  readonly #generators: ReadonlyMap<ClientKind, Generator>
  readonly #proxies: Map<string, ProxySnapshot> = new Map()
  readonly #shared: Map<string, { readonly resource: EncodedResource; users: number }> = new Map()
  readonly #versions: WeakMap<Buffer, string> = new WeakMap()
  readonly #listeners: Set<(change: ResourceChange) => void> = new Set()

  constructor(generators: readonly Generator[]) {
    this.#generators = new Map(generators.map((generator) => [generator.kind, generator]))
  }

  /** Encoded resources that are kept. */
  get size(): number {
    return this.#shared.size
  }

  /** Replaces what a proxy is to have; changes are told at once. Two resources of one type and name: an error. @returns what has changed */
  set(proxy: string, kind: ClientKind, resources: readonly SourceResource[]): ResourceChange | undefined {
    const generator = this.#generators.get(kind)
    if (!generator) throw new Error(`no generator for clients of kind "${kind}": known are ${[...this.#generators.keys()].join(', ')}`)
    const before = this.#proxies.get(proxy)
    const types = new Map<string, Map<string, EncodedResource>>()
    const made = generator.generate(proxy, resources)
    for (const one of made) {
      const names = types.get(one.typeUrl) ?? new Map<string, EncodedResource>()
      if (names.has(one.name)) throw new Error(`two resources of ${one.typeUrl} are called "${one.name}" for proxy ${proxy}`)
      types.set(one.typeUrl, names.set(one.name, this.#take(kind, one)))
    }
    const source = new Map(resources.map((one) => [`${one.type}/${one.value.name}`, one]))
    this.#proxies.set(proxy, { kind, source, types })
    const change = changeBetween(proxy, before, { kind, source, types })
    if (before) this.#release(before)
    if (change) for (const listener of this.#listeners) listener(change)
    return change
  }

  /** Forgets a proxy that is gone. */
  delete(proxy: string): void {
    const before = this.#proxies.get(proxy)
    if (!before) return
    this.#proxies.delete(proxy)
    this.#release(before)
    for (const listener of this.#listeners) listener({ proxies: new Set([proxy]), urgent: false })
  }

  resource(proxy: string, typeUrl: string, name: string): EncodedResource | undefined {
    return this.#proxies.get(proxy)?.types.get(typeUrl)?.get(name)
  }

  names(proxy: string, typeUrl: string): Iterable<string> {
    return (this.#proxies.get(proxy)?.types.get(typeUrl) ?? EMPTY).keys()
  }

  onChange(listener: (change: ResourceChange) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #take(kind: ClientKind, generated: GeneratedResource): EncodedResource {
    let version = this.#versions.get(generated.bytes)
    if (version === undefined) this.#versions.set(generated.bytes, (version = versionOf(generated.bytes)))
    const key = keyOf(kind, generated.typeUrl, generated.name, version)
    const found = this.#shared.get(key)
    // origins are told with refusals: those of now count, although the bytes are the same
    if (found && sameOrigins(found.resource, generated)) {
      found.users++
      return found.resource
    }
    const resource = encodeResource(generated, version)
    this.#shared.set(key, { resource, users: (found?.users ?? 0) + 1 })
    return resource
  }

  #release({ kind, types }: ProxySnapshot): void {
    for (const [typeUrl, names] of types) {
      for (const { name, version } of names.values()) {
        const key = keyOf(kind, typeUrl, name, version)
        const entry = this.#shared.get(key)
        if (entry && --entry.users === 0) this.#shared.delete(key)
      }
    }
  }
}

const keyOf = (kind: ClientKind, typeUrl: string, name: string, version: string): string => `${kind}\0${typeUrl}\0${name}\0${version}`

function sameOrigins(a: EncodedResource, b: GeneratedResource): boolean {
  if (a.origins === b.origins) return true
  return JSON.stringify([a.origins, a.again]) === JSON.stringify([b.origins, b.again])
}

function changeBetween(proxy: string, before: ProxySnapshot | undefined, after: ProxySnapshot): ResourceChange | undefined {
  const proxies = new Set([proxy])
  if (!before || before.kind !== after.kind) return { proxies, urgent: false }
  const changed = new Map<string, Set<string>>()
  for (const typeUrl of new Set([...before.types.keys(), ...after.types.keys()])) {
    const [was, is] = [before.types.get(typeUrl) ?? EMPTY, after.types.get(typeUrl) ?? EMPTY]
    const names = new Set<string>()
    for (const [name, { version }] of is) if (was.get(name)?.version !== version) names.add(name)
    for (const name of was.keys()) if (!is.has(name)) names.add(name)
    if (names.size > 0) changed.set(typeUrl, names)
  }
  if (changed.size === 0) return undefined
  const urgent = [...before.source].some(([key, resource]) => isUrgent(resource, after.source.get(key)))
  return { proxies, names: changed, urgent }
}
