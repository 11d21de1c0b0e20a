import type {
  InboundContext,
  MergedRules,
  MeshServiceView,
  MeshWorld,
  OutboundContext,
  PolicyPlugin,
  ProxyView,
  ServicePortView,
  TrafficPolicy,
} from '../input/index.ts'
import { mergeInbound, mergeOutbound, mergeWhole, policiesFor } from '../kuma/merging.ts'
import type { Cluster, FilterChain, HttpConnectionManager, Origin, ProxySettings, Route, TcpProxy } from '../model/index.ts'

/** The policies that are for one proxy, by kind, and what they do to parts of its configuration. */
export class Effects {
  readonly world: MeshWorld
  readonly proxy: ProxyView
  readonly #plugins: readonly { readonly plugin: PolicyPlugin<any>; readonly policies: readonly TrafficPolicy[] }[]

  constructor(world: MeshWorld, proxy: ProxyView, plugins: readonly PolicyPlugin<any>[]) {
    this.world = world
    this.proxy = proxy
    this.#plugins = plugins.map((plugin) => ({ plugin, policies: policiesFor(proxy, world.policies, plugin.type) }))
  }

  /** Says which policies these are: proxies with the same key have the same effects on calls that go out. */
  get key(): string {
    return this.#plugins
      .map(({ policies }) => policies.map(({ origin }) => `${origin.kind}/${origin.namespace}/${origin.name}`).join(','))
      .join(';')
  }

  cluster(cluster: Cluster, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>): Cluster {
    return this.#outbound(cluster, service, port, origins, undefined, 'cluster')
  }

  route(route: Route, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>): Route {
    return this.#outbound(route, service, port, origins, route.origin, 'route')
  }

  outboundHttp(http: HttpConnectionManager, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>): HttpConnectionManager {
    return this.#outbound(http, service, port, origins, undefined, 'outboundHttp')
  }

  outboundTcp(tcp: TcpProxy, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>): TcpProxy {
    return this.#outbound(tcp, service, port, origins, undefined, 'outboundTcp')
  }

  /** Applies what comes in at a port to each part of its chains. */
  inbound(chains: readonly FilterChain[], port: ProxyView['ports'][number], origins: Set<Origin>): readonly FilterChain[] {
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: port.protocol }
    let result = chains
    for (const { plugin, rules } of this.#inboundRules(port, origins)) {
      if (plugin.inboundChains) result = plugin.inboundChains(rules, result, context)
      result = result.map((chain) => (judges(plugin, chain) ? inboundChain(plugin, rules, chain, context) : chain))
    }
    return result
  }

  inboundCluster(cluster: Cluster, port: ProxyView['ports'][number], origins: Set<Origin>): Cluster {
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: port.protocol }
    return this.#inboundRules(port, origins).reduce(
      (made, { plugin, rules }) => plugin.inboundCluster?.(rules, made, context) ?? made,
      cluster,
    )
  }

  settings(settings: ProxySettings, origins: Set<Origin>): ProxySettings {
    return this.#plugins.reduce((made, { plugin, policies }) => {
      const merged = plugin.proxy ? mergeWhole(plugin, policies) : undefined
      if (!merged || !plugin.proxy) return made
      for (const origin of merged.origins) origins.add(origin)
      return plugin.proxy(merged.conf, made, { proxy: this.proxy, world: this.world })
    }, settings)
  }

  /** Listeners and clusters that policies bring; `fallback` is the conf of kinds that no policy speaks of. */
  extra(fallback: Readonly<Record<string, unknown>>, origins: Set<Origin>): readonly ReturnType<NonNullable<PolicyPlugin<any>['extra']>>[] {
    return this.#plugins.flatMap(({ plugin, policies }) => {
      if (!plugin.extra) return []
      const merged = mergeWhole(plugin, policies)
      for (const origin of merged?.origins ?? []) origins.add(origin)
      const conf: unknown = merged ? merged.conf : fallback[plugin.type]
      return conf === undefined ? [] : [plugin.extra(plugin.merge([conf]), { proxy: this.proxy, world: this.world })]
    })
  }

  #inboundRules(
    port: ProxyView['ports'][number],
    origins: Set<Origin>,
  ): { readonly plugin: PolicyPlugin<any>; readonly rules: MergedRules<any> }[] {
    return this.#plugins.flatMap(({ plugin, policies }) => {
      const rules = mergeInbound(plugin, policies, port)
      for (const origin of rules?.flatMap((rule) => rule.origins) ?? []) origins.add(origin)
      if (rules) return [{ plugin, rules }]
      return plugin.always ? [{ plugin, rules: [{ matches: [], conf: plugin.merge([]) as unknown, origins: [] }] }] : []
    })
  }

  #outbound<T>(
    part: T,
    service: MeshServiceView,
    port: ServicePortView,
    origins: Set<Origin>,
    route: Origin | undefined,
    effect: 'cluster' | 'route' | 'outboundHttp' | 'outboundTcp',
  ): T {
    const { namespace, name } = service
    let made = part
    for (const { plugin, policies } of this.#plugins) {
      if (!plugin[effect] || policies.length === 0) continue
      const merged = mergeOutbound(plugin, policies, service, port, route && { origin: route })
      if (!merged) continue
      for (const origin of merged.origins) origins.add(origin)
      const isOwn = route !== undefined && policies.some(({ to = [] }) => to.some(({ target }) => target.route !== undefined))
      const context = { proxy: this.proxy, world: this.world, service: { namespace, name, port: port.port, protocol: port.protocol } }
      const asked: OutboundContext = isOwn && route ? { ...context, route } : context
      // each part has the type that its effect changes
      made = (plugin[effect] as (conf: unknown, part: T, context: OutboundContext) => T)(merged.conf, made, asked)
    }
    return made
  }
}

/**
 * Permissions judge identities: a caller in plain text has none, and in permissive mode is let in as if there were no mesh (Kuma's rule: permissions are for
 * the connections of the mesh). In strict mode there are no such chains.
 */
function judges({ type }: PolicyPlugin<any>, chain: FilterChain): boolean {
  return type !== 'MeshTrafficPermission' || chain.tls?.mode === 'mesh'
}

function inboundChain(plugin: PolicyPlugin<any>, rules: MergedRules<any>, chain: FilterChain, context: InboundContext): FilterChain {
  const http = chain.http && plugin.inboundHttp?.(rules, chain.http, context)
  const tcp = chain.tcp && plugin.inboundTcp?.(rules, chain.tcp, context)
  const connection = plugin.inboundConnection?.(rules, chain.connection ?? {}, context)
  return { ...chain, ...(http ? { http } : {}), ...(tcp ? { tcp } : {}), ...(connection ? { connection } : {}) }
}
