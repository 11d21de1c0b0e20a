import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from '../../../protocols/discovery/index.ts'
import { RESOURCE_ORDER, TYPE_URL, type Resource, type ResourceType } from '../../../policy/traffic/model/index.ts'
import { readResource } from './check-resource.ts'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from './proxy-snapshot.ts'
import { referencesOf } from './references.ts'
import { warm, type Versioned } from './warm.ts'

/** google.rpc.Code. */
const INVALID_ARGUMENT = 3
const MAX_REASON = 4_000

type Request = Omit<DeltaDiscoveryRequest, 'node'>

const TYPES = new Map(RESOURCE_ORDER.map((type) => [TYPE_URL[type], type]))

/** Resources and subscriptions as they are kept on disk. */
export interface SavedConfig {
  readonly wanted: readonly { readonly type: ResourceType; readonly names: readonly string[] }[]
  readonly resources: readonly { readonly type: ResourceType; readonly name: string; readonly version: string; readonly value: unknown }[]
}

/**
 * What a proxy wants, has been told, and executes; without I/O. Subscriptions follow references: who wants a listener gets its routes, their clusters, and
 * so on. What is refused leaves the last good in place.
 */
export class ConfigState {
  /** By the user; 0: remembered from the disk. */
  readonly #wanted: Map<ResourceType, Map<string, number>> = byType(() => new Map())
  readonly #told: Map<ResourceType, Map<string, Versioned>> = byType(() => new Map())
  readonly #subscribed: Map<ResourceType, Set<string>> = byType(() => new Set())
  readonly #missing: Map<ResourceType, Set<string>> = byType(() => new Set())
  #snapshot: ProxySnapshot = EMPTY_SNAPSHOT

  get snapshot(): ProxySnapshot {
    return this.#snapshot
  }

  /** `*` as a name: all of the type. Counted: release as often. */
  want(type: ResourceType, name: string): void {
    const names = this.#wanted.get(type) as Map<string, number>
    names.set(name, (names.get(name) ?? 0) + 1)
  }

  release(type: ResourceType, name: string): void {
    const names = this.#wanted.get(type) as Map<string, number>
    const count = names.get(name)
    if (count === undefined) return
    if (count > 1) names.set(name, count - 1)
    else names.delete(name)
  }

  /** Whether the control plane has said that a resource does not exist. */
  isMissing(type: ResourceType, name: string): boolean {
    return (this.#missing.get(type) as Set<string>).has(name)
  }

  /** Requests of a new stream: everything that is wanted, with the versions that are here. */
  connect(): Request[] {
    for (const names of this.#subscribed.values()) names.clear()
    const needed = this.#needed()
    return RESOURCE_ORDER.flatMap((type) => {
      const names = needed.get(type) as Set<string>
      if (names.size === 0) return []
      this.#subscribed.set(type, new Set(names))
      const told = this.#told.get(type) as Map<string, Versioned>
      const versions = [...told]
        .filter(([name]) => names.has(name) || names.has('*'))
        .map(([name, { version }]) => [name, version] as const)
      return [{ ...request(type), subscribe: [...names], initialVersions: new Map(versions) }]
    })
  }

  /** Requests for what is wanted now and was not before; what is not wanted any more is forgotten. */
  follow(): Request[] {
    const needed = this.#needed()
    const requests = RESOURCE_ORDER.flatMap((type) => {
      const [is, was] = [needed.get(type) as Set<string>, this.#subscribed.get(type) as Set<string>]
      const subscribe = [...is].filter((name) => !was.has(name))
      const unsubscribe = [...was].filter((name) => !is.has(name))
      if (subscribe.length === 0 && unsubscribe.length === 0) return []
      this.#subscribed.set(type, is)
      return [{ ...request(type), subscribe, unsubscribe }]
    })
    this.#forget(needed)
    return requests
  }

  /** Takes a response; the answer confirms or refuses it. Good resources of a response that has bad ones as well are taken. */
  receive(response: DeltaDiscoveryResponse): Request {
    const type = TYPES.get(response.typeUrl)
    const answer: Request = { ...NOTHING, typeUrl: response.typeUrl, responseNonce: response.nonce }
    if (!type) return refuse(answer, [`type ${response.typeUrl} was never asked for`])
    const told = this.#told.get(type) as Map<string, Versioned>
    const missing = this.#missing.get(type) as Set<string>
    const wrong: string[] = []
    for (const { name, version, typeUrl, value } of response.resources) {
      try {
        if (typeUrl !== response.typeUrl) throw new Error(`is of type ${typeUrl} in a response of ${response.typeUrl}`)
        if (!this.#asked(type, name)) throw new Error('was never asked for')
        if (version === '') throw new Error('has no version')
        if (told.get(name)?.version !== version) told.set(name, { version, value: readResource(type, name, value) })
        missing.delete(name)
      } catch (error) {
        wrong.push(`"${name}" ${(error as Error).message}`)
      }
    }
    for (const name of response.removed) {
      told.delete(name)
      if (this.#asked(type, name)) missing.add(name)
    }
    this.#warm()
    return wrong.length === 0 ? answer : refuse(answer, wrong)
  }

  /** For the disk: what was accepted last, and what is in force in its place where it is not whole yet. */
  save(): SavedConfig {
    const wanted = RESOURCE_ORDER.map((type) => ({ type, names: [...(this.#wanted.get(type) as Map<string, number>).keys()] }))
    const resources = RESOURCE_ORDER.flatMap((type) =>
      [...this.#active(type)].map(([name, value]) => {
        const told = (this.#told.get(type) as Map<string, Versioned>).get(name)
        // a version only for what is in force: the rest is asked for again
        return { type, name, version: told?.value === value ? told.version : '', value }
      }),
    )
    return { wanted, resources }
  }

  /** Begins with what was saved. @throws Error with the resource that is wrong */
  restore(saved: SavedConfig): void {
    for (const { type, names } of saved.wanted) for (const name of names) this.#wanted.get(type)?.set(name, 0)
    for (const { type, name, version, value } of saved.resources) {
      try {
        this.#told.get(type)?.set(name, { version, value: readResource(type, name, Buffer.from(JSON.stringify(value))) })
      } catch (error) {
        throw new Error(`${type} "${name}" ${(error as Error).message}`, { cause: error })
      }
    }
    this.#warm()
  }

  #asked(type: ResourceType, name: string): boolean {
    const names = this.#subscribed.get(type) as Set<string>
    return names.has(name) || names.has('*')
  }

  #active(type: ResourceType): Iterable<readonly [string, Resource]> {
    const { settings, listeners, routes, clusters, endpoints, secrets } = this.#snapshot
    const maps = { listener: listeners, route: routes, cluster: clusters, endpoints, secret: secrets }
    if (type === 'proxy') return settings ? [[settings.name, settings]] : []
    return maps[type]
  }

  /** By type: what the user wants, and what that refers to, as told and as executed. */
  #needed(): Map<ResourceType, Set<string>> {
    const needed: Map<ResourceType, Set<string>> = byType(() => new Set())
    for (const [type, names] of this.#wanted) needed.set(type, new Set(names.keys()))
    // users before what they use
    for (const type of [...RESOURCE_ORDER].toReversed()) {
      const names = needed.get(type) as Set<string>
      const told = [...(this.#told.get(type) as Map<string, Versioned>)].map(([name, { value }]) => [name, value] as const)
      for (const [name, value] of [...told, ...this.#active(type)]) {
        if (!names.has(name) && !names.has('*')) continue
        for (const reference of referencesOf(type, value)) needed.get(reference.type)?.add(reference.name)
      }
    }
    return needed
  }

  #forget(needed: ReadonlyMap<ResourceType, ReadonlySet<string>>): void {
    let forgotten = false
    for (const [type, told] of this.#told) {
      const names = needed.get(type) as ReadonlySet<string>
      if (names.has('*')) continue
      for (const name of told.keys()) if (!names.has(name)) forgotten = told.delete(name) || forgotten
      const missing = this.#missing.get(type) as Set<string>
      for (const name of missing) if (!names.has(name)) missing.delete(name)
    }
    if (forgotten) this.#warm()
  }

  #warm(): void {
    this.#snapshot = warm(this.#snapshot, this.#told)
  }
}

const NOTHING: Request = { typeUrl: '', subscribe: [], unsubscribe: [], initialVersions: new Map(), responseNonce: '' }

const request = (type: ResourceType): Request => ({ ...NOTHING, typeUrl: TYPE_URL[type] })

const refuse = (answer: Request, reasons: readonly string[]): Request => ({
  ...answer,
  errorDetail: { code: INVALID_ARGUMENT, message: reasons.join('; ').slice(0, MAX_REASON) },
})

function byType<T>(make: () => T): Map<ResourceType, T> {
  return new Map(RESOURCE_ORDER.map((type) => [type, make()]))
}
