import { messageOf } from '../../../base/errors.ts'
import type {
  Finding,
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
import { closedPolicy } from './quarantine.ts'
import {
  originName,
  type Cluster,
  type FilterChain,
  type HttpConnectionManager,
  type Origin,
  type ProxySettings,
  type Route,
  type TcpProxy,
} from '../model/index.ts'

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

type Port = ProxyView['ports'][number]
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
  #findings: Finding[] = []

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
  inbound(chains: readonly FilterChain[], port: Port, origins: Set<Origin>): readonly FilterChain[] {
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: port.protocol }
    return this.#inbound(chains, port, origins, (plugin, rules, made) => {
      const changed = plugin.inboundChains ? plugin.inboundChains(rules, made, context) : made
      return changed.map((chain) => (judges(plugin, chain) ? inboundChain(plugin, rules, chain, context) : chain))
    })
  }

  /**
   * What comes in at a gateway: rules for callers, and what policies say of calls to everything. Not those that speak of callers of the mesh alone: clients
   * of gateways have no identity in it, and may come in plain text.
   */
  gatewayChain(chain: FilterChain, port: { readonly port: number; readonly name: string }, origins: Set<Origin>): FilterChain {
    const asPort = { ...port, protocol: chain.http ? ('http' as const) : ('tcp' as const), services: [] }
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: asPort.protocol }
    const made = this.#inbound(chain, asPort, origins, (plugin, rules, one) =>
      plugin.always ? one : inboundChain(plugin, rules, one, context),
    )
    const anything = { kind: 'Service', namespace: '', name: '', labels: {} } as MeshServiceView
    const target = { port: port.port, name: port.name, protocol: asPort.protocol } as ServicePortView
    const { http } = made
    return http ? { ...made, http: this.#outbound(http, anything, target, origins, undefined, 'outboundHttp') } : made
  }

  inboundCluster(cluster: Cluster, port: Port, origins: Set<Origin>): Cluster {
    const context: InboundContext = { proxy: this.proxy, world: this.world, port: port.port, protocol: port.protocol }
    return this.#inbound(cluster, port, origins, (plugin, rules, made) => plugin.inboundCluster?.(rules, made, context) ?? made)
  }

  settings(settings: ProxySettings, origins: Set<Origin>): ProxySettings {
    return this.#plugins.reduce((made, { plugin, policies }) => {
      if (!plugin.proxy) return made
      return this.#carried(plugin, policies, 'its proxies as a whole', (chosen) => {
        const merged = mergeWhole(plugin, chosen)
        if (!merged) return made
        for (const origin of merged.origins) origins.add(origin)
        return plugin.proxy?.(merged.conf, made, { proxy: this.proxy, world: this.world }) ?? made
      })
    }, settings)
  }

  /** Listeners and clusters that policies bring; `fallback` is the conf of kinds that no policy speaks of. */
  extra(fallback: Readonly<Record<string, unknown>>, origins: Set<Origin>): readonly ReturnType<NonNullable<PolicyPlugin<any>['extra']>>[] {
    return this.#plugins.flatMap(({ plugin, policies }) => {
      if (!plugin.extra) return []
      return this.#carried(plugin, policies, 'what goes to no service', (chosen) => {
        const merged = mergeWhole(plugin, chosen)
        for (const origin of merged?.origins ?? []) origins.add(origin)
        const conf: unknown = merged ? merged.conf : fallback[plugin.type]
        const made = conf === undefined ? undefined : plugin.extra?.(plugin.merge([conf]), { proxy: this.proxy, world: this.world })
        return made ? [made] : []
      })
    })
  }

  /** What authors should know since this was asked last. */
  takeFindings(): readonly Finding[] {
    const taken = new Map(this.#findings.map((finding) => [JSON.stringify([originName(finding.origin), finding.message]), finding]))
    this.#findings = []
    return [...taken.values()]
  }

  #inbound<T>(part: T, port: Port, origins: Set<Origin>, change: (plugin: PolicyPlugin<any>, rules: MergedRules<any>, part: T) => T): T {
    return this.#plugins.reduce(
      (made, { plugin, policies }) =>
        this.#carried(plugin, policies, `port ${port.port}`, (chosen) => {
          const rules = mergeInbound(plugin, chosen, port)
          for (const origin of rules?.flatMap((rule) => rule.origins) ?? []) origins.add(origin)
          if (rules) return change(plugin, rules, made)
          return plugin.always ? change(plugin, [{ matches: [], conf: plugin.merge([]) as unknown, origins: [] }], made) : made
        }),
      part,
    )
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
    const context = { proxy: this.proxy, world: this.world, service: { namespace, name, port: port.port, protocol: port.protocol } }
    let made = part
    for (const { plugin, policies, forRoutes } of this.#plugins) {
      if (!plugin[effect] || policies.length === 0) continue
      const before = made
      made = this.#carried(plugin, policies, `port ${port.port} of service ${namespace}/${name}`, (chosen) => {
        const merged = mergeOutbound(plugin, chosen, service, port, route)
        if (!merged) return before
        for (const origin of merged.origins) origins.add(origin)
        const isOwn = route && forRoutes.length > 0 && mergeOutbound(plugin, forRoutes, service, port, route) !== undefined
        const asked: OutboundContext = isOwn ? { ...context, route: route.origin } : context
        // each part has the type that its effect changes
        const carryOut = plugin[effect] as (conf: unknown, part: T, context: OutboundContext) => T
        return carryOut(merged.conf, before, asked)
      })
    }
    return made
  }

  /**
   * Lets a plug-in do what policies say. Where it cannot, those that it cannot carry out alone (all, if it is what they say together) are left out or closed,
   * and told; the others hold.
   */
  #carried<T>(
    plugin: PolicyPlugin<any>,
    policies: readonly TrafficPolicy[],
    what: string,
    carryOut: (policies: readonly TrafficPolicy[]) => T,
  ): T {
    try {
      return carryOut(policies)
    } catch (error) {
      const alone = policies.filter((policy) => fails(() => carryOut([policy])))
      const blamed = alone.length > 0 ? alone : policies
      const origins = [...new Set(blamed.map(({ origin }) => origin))]
      const safe = policies.flatMap((policy) => (blamed.includes(policy) ? (closedPolicy(plugin, policy) ?? []) : [policy]))
      const effect = plugin.closed ? 'what it targets there is closed' : 'it is left out there'
      let made: T
      try {
        made = carryOut(safe)
      } catch {
        throw new CompileError(error, origins)
      }
      for (const origin of origins)
        this.#findings.push({
          origin,
          type: 'Invalid',
          reason: 'NotCompiled',
          message: `cannot be carried out for ${what}: ${messageOf(error)}; ${effect}`,
        })
      return made
    }
  }
}

function fails(act: () => unknown): boolean {
  try {
    act()
    return false
  } catch {
    return true
  }
}

/** Whether a policy says anything about calls that go out: those for callers alone are many, and no reason to compile those calls again. */
function concernsOutbound(plugin: PolicyPlugin<any>, { to = [], conf }: TrafficPolicy): boolean {
  return to.length > 0 || (plugin.extra !== undefined && conf !== undefined)
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
