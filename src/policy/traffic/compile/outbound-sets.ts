import { isDeepStrictEqual } from 'node:util'
import type { Finding, MeshServiceView, MeshWorld, PolicyPlugin, ProxyView } from '../input/index.ts'
import { serviceKey } from '../input/index.ts'
import type { Origin } from '../model/index.ts'
import { closedOutbound } from './closed.ts'
import { ClusterMaker } from './clusters.ts'
import { Collector, serviceOrigin, type CompiledResource } from './compiled.ts'
import type { Effects } from './effects.ts'
import { addFilterClusters } from './filter-clusters.ts'
import { compilePods, type PodResources } from './outbound-pods.ts'
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
  /** See compilePods. */
  readonly pods: readonly CompiledResource[]
  /** `type/name` of resources and of pods: they are put together often. */
  readonly names: readonly string[]
  readonly podNames: readonly string[]
}

/** What proxies with the same policies and routes have in common, whichever services they want to reach. */
interface Scope {
  readonly units: Map<string, Unit>
  readonly extra: Unit
  readonly clusters: Map<string, readonly CompiledResource[]>
  readonly pods: PodResources
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
    // an endpoint of a service that has changed is still the same; those that are long gone are forgotten now and then
    let live = 0
    for (const unit of units.values()) live += unit.pods.length
    const pods: PodResources = before && before.pods.size <= 2 * live + FORGOTTEN_PODS ? before.pods : new Map()
    const scope = { units, clusters, pods, sets: new Map(), extra: before?.extra ?? extraUnit(effects()) }
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
    const pods: PodResources = new Map()
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
    // clients of headless services dial endpoints anyway; Envoy has all listeners that there are, and would have one for each endpoint
    if (effects.proxy.dataPlane === 'biplane' && !service.headless) for (const port of service.ports) compilePods(port, scope.pods, pods)
    addFilterClusters(out, clusters)
    const { resources } = out
    const podResources = [...new Set([...pods.values()].flat())]
    const unit: Unit = {
      resources,
      findings: [...out.findings, ...effects.takeFindings()],
      used: new Map([...clusters.used, [key, service]]),
      clusters: clusters.made,
      pods: podResources,
      names: resources.map(nameOf),
      podNames: podResources.map(nameOf),
    }
    scope.units.set(key, unit)
    return unit
  }
}

function partsOf({ mesh, routes, policies, secrets }: MeshWorld): readonly unknown[] {
  return [mesh, routes, policies, secrets]
}

const nameOf = ({ type, value }: CompiledResource): string => `${type}/${value.name}`

/** So many resources of endpoints that are gone are kept, besides as many as there are. */
const FORGOTTEN_PODS = 1_024
const NOTHING: Unit = { resources: [], findings: [], used: new Map(), clusters: new Map(), pods: [], names: [], podNames: [] }

function extraUnit(effects: Effects): Unit {
  const out = new Collector()
  // gRPC dials names of services alone
  if (effects.proxy.dataPlane === 'grpc') return NOTHING
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
  const { resources } = out
  return { ...NOTHING, resources, names: resources.map(nameOf), findings: [...out.findings, ...effects.takeFindings()] }
}

/** @param namesBefore taken over, as the same set, where the names are the same */
function merged(units: readonly Unit[], namesBefore: ReadonlySet<string> | undefined): OutboundSet {
  const names = new Set<string>()
  const resources: CompiledResource[] = []
  let isSame = true
  const take = (list: readonly CompiledResource[], listNames: readonly string[]): void => {
    for (const [i, resource] of list.entries()) {
      const name = listNames[i] as string
      if (names.has(name)) continue
      names.add(name)
      resources.push(resource)
      isSame &&= namesBefore?.has(name) === true
    }
  }
  for (const unit of units) take(unit.resources, unit.names)
  // an address that is a service's own, headless ones among them, is not just a pod's
  for (const { pods, podNames } of units) take(pods, podNames)
  return {
    resources,
    names: isSame && namesBefore?.size === names.size ? namesBefore : names,
    findings: units.flatMap(({ findings }) => findings),
  }
}

/** @param wanted as in ProxyView */
function isReachable({ namespace, name }: MeshServiceView, wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || wanted.includes(serviceKey(namespace, name)) || wanted.includes(`${namespace}/*`)
}
