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
import { byStrength, mergeInbound, mergeOutbound, mergeWhole, selectsProxy } from '../kuma/merging.ts'
import { CompileError } from './compiled.ts'
import type { Cluster, FilterChain, HttpConnectionManager, Origin, ProxySettings, Route, TcpProxy } from '../model/index.ts'

/** Policies by kind, each with a number that says which it is. */
export class PolicyTable {
  readonly plugins: readonly {
    readonly plugin: PolicyPlugin<any>
    readonly policies: readonly { readonly id: number; readonly policy: TrafficPolicy }[]
  }[]

  constructor(policies: readonly TrafficPolicy[], plugins: readonly PolicyPlugin<any>[]) {
    const numbered = policies.map((policy, id) => ({ id, policy })).sort((a, b) => byStrength(a.policy, b.policy))
    this.plugins = plugins.map((plugin) => ({ plugin, policies: numbered.filter(({ policy }) => policy.type === plugin.type) }))
  }
}

type Labels = Readonly<Record<string, string>>

interface Applied {
  readonly plugin: PolicyPlugin<any>
  readonly policies: readonly TrafficPolicy[]
  /** Those parts of them that are for routes alone. */
  readonly forRoutes: readonly TrafficPolicy[]
}

/** The policies that are for one proxy, by kind, and what they do to parts of its configuration. */
export class Effects {
  readonly world: MeshWorld
  readonly proxy: ProxyView
  /** Says which policies these are: proxies with the same key have the same effects on calls that go out. */
  readonly key: string
  readonly #plugins: readonly Applied[]

  constructor(world: MeshWorld, proxy: ProxyView, table: PolicyTable) {
    this.world = world
    this.proxy = proxy
    const ids: number[] = []
    this.#plugins = table.plugins.map(({ plugin, policies: all }) => {
      const chosen = all.filter(({ policy }) => selectsProxy(policy.proxies, proxy))
      for (const { id, policy } of chosen) if (concernsOutbound(plugin, policy)) ids.push(id)
      const policies = chosen.map(({ policy }) => policy)
      const forRoutes = policies.flatMap((policy) => {
        const to = (policy.to ?? []).filter(({ target }) => target.route !== undefined)
        return to.length > 0 ? [{ ...policy, to }] : []
      })
      return { plugin, policies, forRoutes }
    })
    this.key = ids.join()
  }

  cluster(cluster: Cluster, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>): Cluster {
    return this.#outbound(cluster, service, port, origins, undefined, 'cluster')
  }

  /** @param labels of the object that the route comes from */
  route(route: Route, service: MeshServiceView, port: ServicePortView, origins: Set<Origin>, labels: Labels = {}): Route {
    return this.#outbound(route, service, port, origins, route.origin && { origin: route.origin, labels }, 'route')
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
      result = blaming(rules, () => {
        const changed = plugin.inboundChains ? plugin.inboundChains(rules, result, context) : result
        return changed.map((chain) => (judges(plugin, chain) ? inboundChain(plugin, rules, chain, context) : chain))
      })
    }
    return result
  }

  /**
   * What comes in at a gateway: rules for callers, and what policies say of calls to everything. Not those that speak of callers of the mesh alone: clients
   * of gateways have no identity in it, and may come in plain text.
   */
  gatewayChain(chain: FilterChain, port: { readonly port: number; readonly name: string }, origins: Set<Origin>): FilterChain {
    const asPort = { ...port, protocol: chain.http ? ('http' as const) : ('tcp' as const), services: [] }
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: asPort.protocol }
    let made = chain
    for (const { plugin, rules } of this.#inboundRules(asPort, origins)) {
      if (!plugin.always) made = blaming(rules, () => inboundChain(plugin, rules, made, context))
    }
    const anything = { kind: 'Service', namespace: '', name: '', labels: {} } as MeshServiceView
    const target = { port: port.port, name: port.name, protocol: asPort.protocol } as ServicePortView
    const { http } = made
    return http ? { ...made, http: this.#outbound(http, anything, target, origins, undefined, 'outboundHttp') } : made
  }

  inboundCluster(cluster: Cluster, port: ProxyView['ports'][number], origins: Set<Origin>): Cluster {
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: port.protocol }
    return this.#inboundRules(port, origins).reduce(
      (made, { plugin, rules }) => blaming(rules, () => plugin.inboundCluster?.(rules, made, context) ?? made),
      cluster,
    )
  }

  settings(settings: ProxySettings, origins: Set<Origin>): ProxySettings {
    return this.#plugins.reduce((made, { plugin, policies }) => {
      const merged = plugin.proxy ? mergeWhole(plugin, policies) : undefined
      if (!merged) return made
      for (const origin of merged.origins) origins.add(origin)
      return blaming([merged], () => plugin.proxy?.(merged.conf, made, { proxy: this.proxy, world: this.world }) ?? made)
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
    route: { readonly origin: Origin; readonly labels: Labels } | undefined,
    effect: 'cluster' | 'route' | 'outboundHttp' | 'outboundTcp',
  ): T {
    const { namespace, name } = service
    let made = part
    for (const { plugin, policies, forRoutes } of this.#plugins) {
      if (!plugin[effect] || policies.length === 0) continue
      const merged = mergeOutbound(plugin, policies, service, port, route)
      if (!merged) continue
      for (const origin of merged.origins) origins.add(origin)
      const isOwn = route && forRoutes.length > 0 && mergeOutbound(plugin, forRoutes, service, port, route) !== undefined
      const context = { proxy: this.proxy, world: this.world, service: { namespace, name, port: port.port, protocol: port.protocol } }
      const asked: OutboundContext = isOwn ? { ...context, route: route.origin } : context
      // each part has the type that its effect changes
      const change = plugin[effect] as (conf: unknown, part: T, context: OutboundContext) => T
      made = blaming([merged], () => change(merged.conf, made, asked))
    }
    return made
  }
}

/** Whether a policy says anything about calls that go out: those for callers alone are many, and no reason to compile those calls again. */
function concernsOutbound(plugin: PolicyPlugin<any>, { to = [], conf }: TrafficPolicy): boolean {
  return to.length > 0 || (plugin.extra !== undefined && conf !== undefined)
}

/** Whatever a plug-in cannot do, the policies that it was asked to carry out are to blame. */
function blaming<T>(merged: readonly { readonly origins: readonly Origin[] }[], change: () => T): T {
  try {
    return change()
  } catch (error) {
    throw new CompileError(error, [...new Set(merged.flatMap(({ origins }) => origins))])
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
