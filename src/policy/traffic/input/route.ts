import type {
  CorsFilter,
  DownstreamTls,
  ForwardAction,
  HeaderModifier,
  HttpFilter,
  Origin,
  Protocol,
  RedirectAction,
  Rewrite,
  RouteMatch,
  UpstreamTls,
} from '../model/index.ts'

/**
 * A route of any spelling (HTTPRoute, GRPCRoute, TCPRoute, TLSRoute, Ingress, MeshHTTPRoute, MeshTCPRoute), with references resolved as far as objects alone
 * can tell. Rules of several routes for the same parent are merged and sorted by the compiler.
 */
export interface TrafficRoute {
  readonly origin: Origin
  /** Of the object: policies may choose routes by them. */
  readonly labels?: Readonly<Record<string, string>>
  readonly kind: 'http' | 'grpc' | 'tcp' | 'tls'
  readonly parents: readonly RouteParent[]
  /** Lower-case, `*.` wildcards; empty: all that the parent has. */
  readonly hostnames: readonly string[]
  readonly rules: readonly TrafficRule[]
  /** Kuma's routes are merged (`Merge`); Gateway API's stand beside each other (`Exclusive`): a request that matches no rule of an attached service gets 404. */
  readonly unmatched: 'notFound' | 'passThrough'
}

export type RouteParent =
  /** Clients of a service. `consumers`: namespace whose clients it is for (consumer route); absent: all (producer route). `proxies`: only these. */
  | {
      readonly type: 'service'
      readonly namespace: string
      readonly name: string
      /** Absent: every port. */
      readonly port?: number
      readonly consumers?: string
      readonly proxies?: ProxySelector
    }
  /** Listeners of a Gateway: those with this section name or port, else all that fit. */
  | { readonly type: 'gateway'; readonly namespace: string; readonly name: string; readonly section?: string; readonly port?: number }

export interface TrafficRule {
  /** For names of routes. */
  readonly name?: string
  /** One must match; empty: everything. Server names of TLS routes are the route's hostnames. */
  readonly matches: readonly RouteMatch[]
  readonly backends: readonly BackendRef[]
  readonly redirect?: RedirectAction
  readonly rewrite?: Rewrite
  readonly requestHeaders?: HeaderModifier
  readonly responseHeaders?: HeaderModifier
  readonly mirrors?: readonly { readonly backend: BackendRef; readonly percentage: number }[]
  readonly cors?: CorsFilter
  /** Filters that stand on this rule alone, such as extAuthz by an extensionRef. */
  readonly filters?: readonly HttpFilter[]
  /** 0: none. Absent: what policies say. */
  readonly timeoutMs?: number
  readonly perTryTimeoutMs?: number
  readonly retry?: Partial<NonNullable<ForwardAction['retry']>>
  readonly session?: ForwardAction['session']
}

export interface BackendRef {
  readonly namespace: string
  readonly name: string
  /** `Service`, or a kind of Kuma. */
  readonly kind: 'Service' | 'MeshExternalService' | 'MeshMultiZoneService'
  readonly port: number
  /** 0 gets nothing. */
  readonly weight: number
  /** Why it cannot be used: its share is answered with 500. */
  readonly invalid?: 'BackendNotFound' | 'RefNotPermitted' | 'InvalidKind' | 'PortNotFound' | 'UnsupportedProtocol'
  readonly requestHeaders?: HeaderModifier
  readonly responseHeaders?: HeaderModifier
  /** By BackendTLSPolicy. */
  readonly tls?: UpstreamTls
}

/** One listener of a Gateway (or of an Ingress), ready to be bound. */
export interface GatewayListener {
  readonly gateway: { readonly namespace: string; readonly name: string }
  readonly section: string
  readonly port: number
  readonly protocol: Protocol | 'https'
  /** Lower-case; absent: all hosts. */
  readonly hostname?: string
  readonly tls?: DownstreamTls
  readonly origin: Origin
}

/** Which proxies. Absent fields match all. */
export interface ProxySelector {
  /** Of the proxies. */
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly name?: string
  readonly kinds?: readonly ('sidecar' | 'gateway' | 'node')[]
  /** Name or number of an inbound port. */
  readonly section?: string
  /** Those that a service leads to, at this port of it where one is given. */
  readonly service?: { readonly namespace: string; readonly name: string; readonly port?: number }
  /** `namespace/name` of the Gateway that they serve. */
  readonly gateway?: string
}
