import type { ServicePortRef, SocketAddress, TlsVersions } from './listener.ts'
import type { StringMatch } from './match.ts'

/** A set of endpoints and how they are spoken to. */
export interface Cluster {
  readonly name: string
  /** Prefix of metrics where it should differ from the name. */
  readonly statName?: string
  readonly service?: ServicePortRef
  readonly discovery:
    /** Name of a ClusterLoadAssignment resource. */
    | { readonly type: 'eds'; readonly name: string }
    /** Host names, resolved again when their time has run out. */
    | { readonly type: 'dns'; readonly hosts: readonly { readonly host: string; readonly port: number; readonly priority?: number }[] }
    | { readonly type: 'static'; readonly addresses: readonly SocketAddress[] }
    /**
     * Where the intercepted connection was going. With `tls` of mode `mesh` and `identities` whatever is there takes mutual TLS and must show one of them, at
     * `meshPort` of its address where one is given (see Endpoint).
     */
    | { readonly type: 'originalDestination'; readonly meshPort?: number }
  /** What the endpoints speak. `http`: HTTP/1.1; between two sidecars HTTP/2 for `http` and `http2`. `mirror`: what the client spoke, between sidecars too. */
  readonly protocol: 'http' | 'http2' | 'mirror' | 'tcp'
  readonly tls?: UpstreamTls
  readonly loadBalancer: LoadBalancer
  readonly limits: CircuitLimits
  readonly outlierDetection?: OutlierDetection
  readonly healthChecks: readonly HealthCheck[]
  /** Default 5,000. */
  readonly connectTimeoutMs?: number
  /** A pooled connection without streams. Default 3,600,000 (HTTP/2) or 60,000 (HTTP/1.1). */
  readonly idleTimeoutMs?: number
  readonly maxConnectionDurationMs?: number
  /** Below this share of healthy endpoints (percent) all are used. Default 50. */
  readonly healthyPanicPercent?: number
}

export type UpstreamTls =
  /** Mutual TLS with the proxy's identity, to endpoints that have an `identity`; to others as they are (permissive). */
  | {
      readonly mode: 'mesh'
      /** Names that an endpoint's certificate may have, where the endpoint itself names none. */
      readonly identities: readonly string[]
    }
  /** To a server outside of the mesh. */
  | {
      readonly mode: 'tls'
      readonly serverName?: string
      readonly alpn?: readonly string[]
      /** Name of a secret with CA certificates; absent: those of the system. */
      readonly ca?: string
      readonly verify: 'full' | 'ca' | 'none'
      /** One must be in the certificate, instead of the server name. */
      readonly subjectAltNames?: readonly StringMatch[]
      /** Name of a secret with a client certificate. */
      readonly certificate?: string
      readonly versions?: TlsVersions
    }

export type LoadBalancer = {
  /** Endpoints that are new or healthy again get their share little by little. 0: at once. */
  readonly slowStartMs?: number
  readonly locality?: LocalityAwareness
} & (
  | { readonly type: 'roundRobin' }
  | { readonly type: 'leastRequest'; readonly choices: number; readonly activeRequestBias?: number }
  | { readonly type: 'random' }
  | { readonly type: 'ringHash'; readonly minSize: number; readonly maxSize: number; readonly hash: 'xxhash' | 'murmur2' }
  | { readonly type: 'maglev'; readonly tableSize: number }
)

export interface LocalityAwareness {
  /** The endpoints of the same zone, region or node come first: labels with weights, most important first. */
  readonly affinity?: readonly { readonly key: string; readonly weight: number }[]
  /** Share of healthy endpoints (percent) below which traffic goes to the next priority. Default 50 / overprovisioning 140. */
  readonly failoverPercent?: number
}

/** Circuit breakers. Absent: Envoy's default of 1,024 (retries 3). */
export interface CircuitLimits {
  readonly maxConnections?: number
  readonly maxPendingRequests?: number
  readonly maxRequests?: number
  readonly maxRetries?: number
  /** Requests on one connection. Default: without limit. */
  readonly maxRequestsPerConnection?: number
}

/** Passive health: endpoints that fail are left out for a while. Percentages 0 to 100. */
export interface OutlierDetection {
  /** Default 10,000. */
  readonly intervalMs: number
  /** Times how often it has been ejected. Default 30,000. */
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  /** Default 10; one endpoint may always be ejected. */
  readonly maxEjectionPercent: number
  readonly splitLocalErrors: boolean
  readonly consecutive5xx?: number
  readonly consecutiveGatewayFailures?: number
  /** With `splitLocalErrors`: resets, timeouts, failed connections. */
  readonly consecutiveLocalFailures?: number
  readonly successRate?: { readonly minHosts: number; readonly minRequests: number; readonly stdevFactor: number }
  readonly failurePercentage?: { readonly minHosts: number; readonly minRequests: number; readonly threshold: number }
}

export type HealthCheck = {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly unhealthyThreshold: number
  readonly healthyThreshold: number
  readonly initialJitterMs?: number
  readonly intervalJitterMs?: number
  readonly intervalJitterPercent?: number
  /** While nothing was ever sent to the cluster. Default 60,000. */
  readonly noTrafficIntervalMs?: number
  /** Nothing is sent to a cluster in panic. */
  readonly failTrafficOnPanic?: boolean
  readonly reuseConnection?: boolean
} & (
  | {
      readonly type: 'http'
      readonly path: string
      readonly host?: string
      readonly expectedStatuses: readonly number[]
      readonly headers?: readonly { readonly name: string; readonly value: string }[]
    }
  | { readonly type: 'tcp'; readonly send?: string; readonly receive?: readonly string[] }
  | { readonly type: 'grpc'; readonly service?: string; readonly authority?: string }
)
