import type {
  Cluster,
  ConnectionRules,
  FilterChain,
  HttpConnectionManager,
  Listener,
  Origin,
  ProxySettings,
  Route,
  RouteConfiguration,
  StringMatch,
  TcpProxy,
} from '../model/index.ts'
import type { ProxySelector } from './route.ts'
import type { MeshWorld, ProxyView } from './world.ts'

/**
 * A policy in one form, whatever it was written in. `Conf` is the normalised `default` of its kind (milliseconds, lower-case names), defined and given a meaning
 * by its plug-in in `policies/<kind>`.
 */
export interface TrafficPolicy<Conf = unknown> {
  /** Such as `MeshTimeout`; finds the plug-in. */
  readonly type: string
  readonly origin: Origin
  /** Whose proxies it changes. */
  readonly proxies: ProxySelector
  /**
   * Which of two that both apply is stronger; sorted ascending, the later one wins field by field. Set by the translators:
   * [of the system namespace 0, producer 1, consumer 2, workload owner 3; selector: mesh 0, labels 1, name 2, with section 3].
   */
  readonly rank: readonly number[]
  /** For calls that go out. */
  readonly to?: readonly { readonly target: OutboundTarget; readonly conf: Conf }[]
  /** For calls that come in. */
  readonly rules?: readonly { readonly matches: readonly CallerMatch[]; readonly conf: Conf }[]
  /** For the proxy as a whole (MeshMetric, MeshTrace, MeshPassthrough, MeshTLS). */
  readonly conf?: Conf
  /** Why it cannot be used at all, as far as is known without its plug-in: what it says is not looked at then, and what it targets is as its plug-in's `closed` says. */
  readonly broken?: string
}

/** Empty: all. */
export interface OutboundTarget {
  readonly service?: {
    readonly kind?: 'Service' | 'MeshExternalService' | 'MeshMultiZoneService'
    readonly namespace?: string
    readonly name?: string
    readonly labels?: Readonly<Record<string, string>>
    /** Name or number of a port. */
    readonly port?: string
  }
  /** A route by its object. */
  readonly route?: { readonly namespace?: string; readonly name?: string; readonly labels?: Readonly<Record<string, string>> }
}

/** Absent fields match all. */
export interface CallerMatch {
  readonly spiffeId?: StringMatch
  readonly serverName?: StringMatch
}

/** Where an effect is asked for. */
export interface EffectContext {
  readonly proxy: ProxyView
  readonly world: MeshWorld
}

/** The call an outbound effect is for. */
export interface OutboundContext extends EffectContext {
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number; readonly protocol: Listener['protocol'] }
  /** Present where the conf is what holds for one route, because a policy names it: filters then stand at the route, else at the chain. */
  readonly route?: Origin
}

/** The port an inbound effect is for. */
export interface InboundContext extends EffectContext {
  readonly port: number
  readonly protocol: Listener['protocol']
}

/** Inbound rules of a port after merging: callers that no entry names get the last one, whose `matches` are empty. */
export type MergedRules<Conf> = readonly {
  readonly matches: readonly CallerMatch[]
  readonly conf: Conf
  readonly origins: readonly Origin[]
}[]

/**
 * The meaning of one kind of policy, as functions from a part of the configuration to the changed part. All are pure, and absent where the kind does not
 * concern that part. The compiler finds the policies that apply, merges them by `rank`, and calls each plug-in in the order of `POLICY_PLUGINS`.
 */
export interface PolicyPlugin<Conf> {
  readonly type: string
  /** Asked of everything inbound even where no policy says anything, with `merge([])` for all callers: the mesh's own defaults have their effect here. */
  readonly always?: true
  /** Later confs are stronger. Default of most: fields of the stronger one win, lists replace each other. */
  merge(confs: readonly Conf[]): Conf
  /** Asked once for each policy alone. @throws Error saying what no proxy could execute, such as a pattern that is none */
  check?(conf: Conf): void
  /**
   * What holds in place of a policy that cannot be carried out: lets nothing pass that the policy would not. Absent: nothing has to, the policy is left out.
   * @param name of the policy, for denials
   * @param conf what it says, of whatever form; undefined: not known
   */
  closed?(name: string, conf: unknown): Conf
  /** Outbound. */
  cluster?(conf: Conf, cluster: Cluster, context: OutboundContext): Cluster
  route?(conf: Conf, route: Route, context: OutboundContext): Route
  outboundHttp?(conf: Conf, http: HttpConnectionManager, context: OutboundContext): HttpConnectionManager
  outboundTcp?(conf: Conf, tcp: TcpProxy, context: OutboundContext): TcpProxy
  /** Inbound. */
  inboundChains?(rules: MergedRules<Conf>, chains: readonly FilterChain[], context: InboundContext): readonly FilterChain[]
  inboundHttp?(rules: MergedRules<Conf>, http: HttpConnectionManager, context: InboundContext): HttpConnectionManager
  inboundConnection?(rules: MergedRules<Conf>, connection: ConnectionRules, context: InboundContext): ConnectionRules
  inboundTcp?(rules: MergedRules<Conf>, tcp: TcpProxy, context: InboundContext): TcpProxy
  /** The cluster of the application itself. */
  inboundCluster?(rules: MergedRules<Conf>, cluster: Cluster, context: InboundContext): Cluster
  /** The proxy as a whole. */
  proxy?(conf: Conf, settings: ProxySettings, context: EffectContext): ProxySettings
  /** More listeners or clusters (MeshPassthrough). */
  extra?(
    conf: Conf,
    context: EffectContext,
  ): {
    readonly listeners: readonly Listener[]
    readonly clusters: readonly Cluster[]
    readonly routes?: readonly RouteConfiguration[]
  }
}
