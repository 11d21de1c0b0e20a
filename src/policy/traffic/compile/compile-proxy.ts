import type { Finding, MeshServiceView, MeshWorld, PolicyPlugin, ProxyView } from '../input/index.ts'
import { podIdentityOf } from './identity.ts'
import { ClusterMaker } from './clusters.ts'
import { Collector, type CompiledResource } from './compiled.ts'
import { Effects } from './effects.ts'
import { compileGateway } from './gateway.ts'
import { compileInbound } from './inbound.ts'
import { compileOutbound } from './outbound.ts'
import { OUTBOUND_ANY, type Origin, type ProxySettings } from '../model/index.ts'

export interface CompiledProxy {
  readonly resources: readonly CompiledResource[]
  readonly findings: readonly Finding[]
}

/** Kuma's word where no MeshPassthrough says anything: what is no service is left alone. */
const FALLBACK = { MeshPassthrough: { passthroughMode: 'All' } }

/**
 * Compiles the configuration of proxies in one world. What several proxies have in common, calls that go out mostly, is compiled once and is the same object for
 * all of them: whoever encodes it does so once.
 */
export class Compiler {
  readonly #world: MeshWorld
  readonly #plugins: readonly PolicyPlugin<any>[]
  readonly #outbound = new Map<string, CompiledProxy>()

  constructor(world: MeshWorld, plugins: readonly PolicyPlugin<any>[]) {
    this.#world = world
    this.#plugins = plugins
  }

  /** Never throws: a part that cannot be compiled is left out, with a Finding. */
  compile(proxy: ProxyView): CompiledProxy {
    const effects = new Effects(this.#world, proxy, this.#plugins)
    const own = new Collector()
    const finish = (shared?: CompiledProxy): CompiledProxy => {
      own.guard(
        () => [],
        'settings',
        () => this.#settings(effects, own, shared?.resources ?? []),
      )
      return { resources: [...own.resources, ...(shared?.resources ?? [])], findings: [...own.findings, ...(shared?.findings ?? [])] }
    }
    if (proxy.kind === 'gateway') {
      const parts = { effects, out: own, clusters: new ClusterMaker(effects, own) }
      if (proxy.gateway !== undefined) compileGateway(proxy.gateway, parts)
      return finish()
    }
    for (const port of proxy.ports) {
      own.guard(
        () => [],
        `port ${port.port}`,
        () => compileInbound(port, effects, own),
      )
    }
    return finish(this.#outboundFor(effects))
  }

  /** What depends on nothing but the policies, the namespace and the wishes of a proxy. */
  #outboundFor(effects: Effects): CompiledProxy {
    const { namespace, reachable, labels } = effects.proxy
    const hasOwnRoutes = this.#world.routes.some(({ parents }) => parents.some((parent) => parent.type === 'service' && parent.proxies))
    const key = JSON.stringify([namespace, reachable, hasOwnRoutes ? labels : undefined, effects.key])
    const known = this.#outbound.get(key)
    if (known) return known
    const out = new Collector()
    const parts = { effects, out, clusters: new ClusterMaker(effects, out) }
    for (const service of this.#world.services.values()) {
      if (!isReachable(service, reachable)) continue
      for (const port of service.ports) {
        out.guard(
          () => [],
          `service ${service.namespace}/${service.name}:${port.port}`,
          () => compileOutbound(service, port, parts),
        )
      }
    }
    const origins = new Set<Origin>()
    for (const { listeners, clusters, routes = [] } of effects.extra(FALLBACK, origins)) {
      for (const cluster of clusters) out.add('cluster', cluster, origins)
      for (const route of routes) out.add('route', route, origins)
      for (const listener of listeners) out.add('listener', listener, origins)
    }
    const made = { resources: out.resources, findings: out.findings }
    this.#outbound.set(key, made)
    return made
  }

  #settings(effects: Effects, out: Collector, shared: readonly CompiledResource[]): void {
    const { proxy, world } = effects
    const origins = new Set<Origin>()
    const plain: ProxySettings = {
      name: proxy.name,
      trust: world.trust,
      ...(world.mesh.mtls ? { identity: podIdentityOf(proxy, world.mesh.trustDomain), issuer: world.mesh.issuer } : {}),
      metrics: { profile: 'basic', include: [], exclude: [], includeUnused: false, applications: [] },
      ...(proxy.draining ? { draining: true } : {}),
      listeners: [
        ...out.resources.flatMap(({ type, value }) => (type === 'listener' ? [value.name] : [])),
        ...(shared.some(({ value }) => value.name === OUTBOUND_ANY) ? [OUTBOUND_ANY] : []),
      ],
      passthrough: 'all',
    }
    out.add('proxy', effects.settings(plain, origins), origins)
  }
}

function isReachable({ namespace, name }: MeshServiceView, wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || wanted.some((text) => text === `${namespace}/${name}` || text === `${namespace}/*`)
}
