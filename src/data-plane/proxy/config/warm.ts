import type { Resource, ResourceOfType, ResourceType } from '../../../policy/traffic/model/index.ts'
import type { ProxySnapshot } from './proxy-snapshot.ts'
import { referencesOf } from './references.ts'

export interface Versioned {
  readonly version: string
  readonly value: Resource
}

type Told = ReadonlyMap<ResourceType, ReadonlyMap<string, Versioned>>

/**
 * The next snapshot from the last one and what was told. A resource is taken when all that it refers to is there; until then the one before it stays. What is
 * gone stays as long as something in force refers to it. Returns `before` if nothing has changed.
 */
export function warm(before: ProxySnapshot, told: Told): ProxySnapshot {
  const endpoints = new Map(valuesOf(told, 'endpoints'))
  const secrets = new Map(valuesOf(told, 'secret'))
  const there = new Map<ResourceType, Map<string, Resource>>([
    ['endpoints', endpoints],
    ['secret', secrets],
  ])
  const take = <T extends 'cluster' | 'route' | 'listener'>(
    type: T,
    active: ReadonlyMap<string, ResourceOfType[T]>,
  ): Map<string, ResourceOfType[T]> => {
    const taken = new Map<string, ResourceOfType[T]>()
    there.set(type, taken as Map<string, Resource>)
    for (const [name, value] of valuesOf(told, type)) {
      const whole = referencesOf(type, value).every((reference) => there.get(reference.type)?.has(reference.name))
      const chosen = whole ? value : active.get(name)
      if (chosen) taken.set(name, chosen)
    }
    return taken
  }
  const clusters = take('cluster', before.clusters)
  const routes = take('route', before.routes)
  const listeners = take('listener', before.listeners)
  const keep = (type: ResourceType, users: ReadonlyMap<string, Resource>): void => {
    for (const user of users.values()) for (const reference of referencesOf(type, user)) keepReference(before, there, reference)
  }
  keep('listener', listeners)
  keep('route', routes)
  keep('cluster', clusters)
  const [settings] = valuesOf(told, 'proxy').map(([, value]) => value)
  const after = {
    settings: settings ?? before.settings,
    listeners: same(before.listeners, listeners),
    routes: same(before.routes, routes),
    clusters: same(before.clusters, clusters),
    endpoints: same(before.endpoints, endpoints),
    secrets: same(before.secrets, secrets),
  }
  const changed = (Object.keys(after) as (keyof ProxySnapshot)[]).some((part) => after[part] !== before[part])
  return changed ? after : before
}

function keepReference(
  before: ProxySnapshot,
  there: Map<ResourceType, Map<string, Resource>>,
  { type, name }: { type: ResourceType; name: string },
): void {
  const map = there.get(type)
  if (!map || map.has(name)) return
  const sources = {
    route: before.routes,
    cluster: before.clusters,
    endpoints: before.endpoints,
    secret: before.secrets,
    listener: before.listeners,
  }
  const last = type === 'proxy' ? undefined : sources[type].get(name)
  if (last) map.set(name, last)
}

function valuesOf<T extends ResourceType>(told: Told, type: T): readonly (readonly [string, ResourceOfType[T]])[] {
  return [...(told.get(type) ?? [])].map(([name, { value }]) => [name, value as ResourceOfType[T]])
}

/** The old map if the new one has the same values. */
function same<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (before.size !== after.size) return after
  for (const [name, value] of after) if (before.get(name) !== value) return after
  return before
}
