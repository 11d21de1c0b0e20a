import { isDeepStrictEqual } from 'node:util'
import type { Finding, MeshServiceView, MeshWorld, PolicyPlugin, ProxyView } from '../input/index.ts'
import { serviceKey } from '../input/index.ts'
import type { Origin } from '../model/index.ts'
import { closedOutbound } from './closed.ts'
import { ClusterMaker } from './clusters.ts'
import { Collector, serviceOrigin, type CompiledResource } from './compiled.ts'
import type { Effects } from './effects.ts'
import { addFilterClusters } from './filter-clusters.ts'
import { compileOutbound } from './outbound.ts'

/** All that goes out of some proxies. */
export interface OutboundSet {
  readonly resources: readonly CompiledResource[]
  /** `type/name` of each; the same set in the next world where they are the same. */
  readonly names: ReadonlySet<string>
  readonly findings: readonly Finding[]
}

/** What goes out to one service. */
interface Unit {
  readonly resources: readonly CompiledResource[]
  readonly findings: readonly Finding[]
  /** Services it was made of, those that were not found among them. */
  readonly used: ReadonlyMap<string, MeshServiceView | undefined>
  readonly clusters: ReadonlyMap<string, readonly CompiledResource[]>
}

/** What proxies with the same policies and routes have in common, whichever services they want to reach. */
interface Scope {
  readonly units: Map<string, Unit>
  readonly extra: Unit
  readonly clusters: Map<string, readonly CompiledResource[]>
  /** By the services that are wanted. */
  readonly sets: Map<string, { readonly units: readonly Unit[]; readonly set: OutboundSet }>
}

/** Kuma's word where no MeshPassthrough says anything: what is no service is left alone. */
const FALLBACK = { MeshPassthrough: { passthroughMode: 'All' } }

/** Calls that go out, compiled once for all proxies of the same policies and routes, and not again in the next world where nothing has changed. */
export class OutboundSets {
  readonly #world: MeshWorld
  readonly #plugins: readonly PolicyPlugin<any>[]
  readonly #scopes = new Map<string, Scope>()
  readonly #services: readonly (readonly [string, MeshServiceView])[]
  /** Of the world before; empty where something has changed that is not just a service. */
  #before: ReadonlyMap<string, Scope> = new Map()

  constructor(world: MeshWorld, plugins: readonly PolicyPlugin<any>[], previous: OutboundSets | undefined) {
    this.#world = world
    this.#plugins = plugins
    // an address of two services is the first one's: which one that is must not depend on the order in which they were seen
    this.#services = [...world.services].sort(([a], [b]) => (a < b ? -1 : 1))
    if (previous && previous.#plugins === plugins && isDeepStrictEqual(partsOf(previous.#world), partsOf(world)))
      this.#before = previous.#scopes
    // nothing older than the last world is kept alive
    if (previous) previous.#before = new Map()
  }

  /**
   * @param key says which policies and which of the routes that are not for all are for this proxy: those with the same key have calls that go out in common
   * @param effects of those policies; asked for when something has to be compiled
   */
  of(key: string, { reachable }: Pick<ProxyView, 'reachable'>, effects: () => Effects): OutboundSet {
    const scope = this.#scopes.get(key) ?? this.#open(key, effects)
    const wish = reachable === undefined ? '' : JSON.stringify(reachable)
    const known = scope.sets.get(wish)
    if (known) return known.set
    let made: Effects | undefined
    const once = (): Effects => (made ??= effects())
    const wanted = this.#services.filter(([, service]) => isReachable(service, reachable))
    const units = [...wanted.map(([name, service]) => this.#unit(scope, name, service, once)), scope.extra]
    const before = this.#before.get(key)?.sets.get(wish)
    const isSame = before?.units.length === units.length && before.units.every((unit, i) => unit === units[i])
    const set = isSame ? before.set : merged(units, before?.set.names)
    scope.sets.set(wish, { units, set })
    return set
  }

  #open(key: string, effects: () => Effects): Scope {
    const before = this.#before.get(key)
    const units = new Map<string, Unit>()
    const clusters = new Map<string, readonly CompiledResource[]>()
    for (const [name, unit] of before?.units ?? []) {
      // a service is also the key of its unit: one that is gone is not among them
      if ([...unit.used].some(([used, service]) => this.#world.services.get(used) !== service)) continue
      units.set(name, unit)
      for (const [cluster, resources] of unit.clusters) clusters.set(cluster, resources)
    }
    const scope = { units, clusters, sets: new Map(), extra: before?.extra ?? extraUnit(effects()) }
    this.#scopes.set(key, scope)
    return scope
  }

  #unit(scope: Scope, key: string, service: MeshServiceView, effectsOf: () => Effects): Unit {
    const known = scope.units.get(key)
    if (known) return known
    const effects = effectsOf()
    const out = new Collector()
    const clusters = new ClusterMaker(effects, out, scope.clusters)
    const parts = { effects, out, clusters }
    for (const port of service.ports) {
      out.guard(
        () => [serviceOrigin(service)],
        `port ${port.port} of service ${key}`,
        () => compileOutbound(service, port, parts),
        () => {
          if (effects.proxy.dataPlane !== 'grpc') for (const listener of closedOutbound(service, port)) out.add('listener', listener)
        },
      )
    }
    addFilterClusters(out, clusters)
    const unit: Unit = {
      resources: out.resources,
      findings: [...out.findings, ...effects.takeFindings()],
      used: new Map([...clusters.used, [key, service]]),
      clusters: clusters.made,
    }
    scope.units.set(key, unit)
    return unit
  }
}

function partsOf({ mesh, routes, policies, secrets }: MeshWorld): readonly unknown[] {
  return [mesh, routes, policies, secrets]
}

function extraUnit(effects: Effects): Unit {
  const out = new Collector()
  // gRPC dials names of services alone
  if (effects.proxy.dataPlane === 'grpc') return { resources: [], findings: [], used: new Map(), clusters: new Map() }
  out.guard(
    () => [],
    'what goes to no service',
    () => {
      const origins = new Set<Origin>()
      for (const { listeners, clusters, routes = [] } of effects.extra(FALLBACK, origins)) {
        for (const cluster of clusters) out.add('cluster', cluster, origins)
        for (const route of routes) out.add('route', route, origins)
        for (const listener of listeners) out.add('listener', listener, origins)
      }
    },
  )
  return { resources: out.resources, findings: [...out.findings, ...effects.takeFindings()], used: new Map(), clusters: new Map() }
}

/** @param namesBefore taken over, as the same set, where the names are the same */
function merged(units: readonly Unit[], namesBefore: ReadonlySet<string> | undefined): OutboundSet {
  const names = new Set<string>()
  const resources: CompiledResource[] = []
  for (const unit of units) {
    for (const resource of unit.resources) {
      const name = `${resource.type}/${resource.value.name}`
      if (names.has(name)) continue
      names.add(name)
      resources.push(resource)
    }
  }
  const isSame = namesBefore?.size === names.size && [...names].every((name) => namesBefore.has(name))
  return { resources, names: isSame ? namesBefore : names, findings: units.flatMap(({ findings }) => findings) }
}

/** @param wanted as in ProxyView */
function isReachable({ namespace, name }: MeshServiceView, wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || wanted.includes(serviceKey(namespace, name)) || wanted.includes(`${namespace}/*`)
}
