import type { AccessLog, Tracing } from './telemetry.ts'
import type { HttpFilter, Rbac, TokenBucket } from './filter.ts'

/**
 * What a port speaks. `http`: HTTP/1.1 or, by ALPN or preface, HTTP/2. `http2` and `grpc`: HTTP/2 alone. `tls`: opaque, but with a server name to
 * look at. `auto`: found out from the first bytes; a peer that waits for the server's first byte gets it (opaque after `detectTimeoutMs`).
 */
export type Protocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'auto'

export interface SocketAddress {
  /** An IP address. */
  readonly address: string
  readonly port: number
}

/** A port of a service, as outbound listeners, clusters and metrics name it. */
export interface ServicePortRef {
  readonly namespace: string
  readonly name: string
  readonly port: number
}

/**
 * Where connections come in. Three directions:
 * - `inbound`: a port of the application beside this proxy. Reached by interception (original destination port) or at the proxy's mesh port with
 *   the server name of `meshServerName(port)`. `inbound|*` carries what comes for other ports.
 * - `outbound`: an address that the application dials. One resource for each address and port of a service; the resource's name is
 *   `outboundName(address, port)`, so that a proxy can subscribe at the first connection to it. `outbound|*` carries what matches no other.
 * - `gateway`: a port that the proxy itself listens on.
 */
export interface Listener {
  readonly name: string
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  /** Inbound: the application's address and port. Outbound: what is dialled. Gateway: what to bind. */
  readonly address: SocketAddress
  /** Outbound and inbound: the service port meant, for metrics, logs and explanations. */
  readonly service?: ServicePortRef
  readonly protocol: Protocol
  /** Default 3,000; for `auto` only. */
  readonly detectTimeoutMs?: number
  /** The first whose match fits is taken; none: the connection is closed. Sorted: exact server names, wildcards (longest first), the rest. */
  readonly chains: readonly FilterChain[]
}

export interface FilterChain {
  readonly name: string
  /** Absent fields match everything. */
  readonly match: ChainMatch
  readonly tls?: DownstreamTls
  /** Judged once for each connection, before a byte goes on; again for open connections when it changes. */
  readonly connection?: ConnectionRules
  /** At least one of both; with both the bytes decide (protocol `auto`). */
  readonly http?: HttpConnectionManager
  readonly tcp?: TcpProxy
}

export interface ChainMatch {
  /** Exact or `*.example.com`. */
  readonly serverNames?: readonly string[]
  /** `mesh`: TLS with one of the mesh's ALPN protocols; `tls`: other TLS; `plaintext`. */
  readonly transport?: readonly ('mesh' | 'tls' | 'plaintext')[]
  /** CIDRs: where an intercepted connection was going; for `outbound|*` and `inbound|*` alone. */
  readonly destinations?: readonly string[]
  /** Port that an intercepted connection was going to; for `outbound|*` and `inbound|*` alone. */
  readonly destinationPort?: number
}

/** How TLS of clients ends here. */
export type DownstreamTls =
  /** With the proxy's own identity; clients must show an identity of a trusted domain. */
  | {
      readonly mode: 'mesh'
      /** TLS with the ALPN protocol `h2` is the mesh's too: gRPC inside of applications has none of the mesh's own, nor its server names. */
      readonly proxyless?: boolean
      readonly versions?: TlsVersions
      readonly ciphers?: readonly string[]
    }
  /** As a server with certificates of its own. */
  | {
      readonly mode: 'terminate'
      /** Names of secrets, one per host name; which one is chosen by the server name, the first by default. */
      readonly certificates: readonly string[]
      /** Name of a secret with CA certificates: clients must have a certificate of one of them. */
      readonly clientCa?: string
      readonly versions?: TlsVersions
      readonly ciphers?: readonly string[]
      readonly alpn: readonly string[]
    }
  /** Not at all: the server name is read, the bytes go on as they are. */
  | { readonly mode: 'passthrough' }

export interface TlsVersions {
  readonly min?: 'TLS12' | 'TLS13'
  readonly max?: 'TLS12' | 'TLS13'
}

export interface ConnectionRules {
  readonly rbac?: Rbac
  /** New connections. */
  readonly rateLimit?: TokenBucket
}

export interface HttpConnectionManager {
  /** Prefix of metrics, such as `inbound_9080`. */
  readonly statPrefix: string
  /** Name of a RouteConfiguration. */
  readonly routes: string
  /** In the order in which they judge; routes may override them by name. */
  readonly filters: readonly HttpFilter[]
  readonly timeouts: HttpTimeouts
  readonly accessLogs: readonly AccessLog[]
  readonly tracing?: Tracing
  /** What becomes of x-forwarded-client-cert. Default `sanitize-set` inbound, `sanitize` else. */
  readonly clientCertDetails?: 'sanitize' | 'sanitize-set' | 'forward'
  /** The client's address is appended to x-forwarded-for. */
  readonly appendForwardedFor: boolean
  /** Proxies in front that are trusted to have told the truth in x-forwarded-for. Default 0. */
  readonly trustedHops?: number
  /** Bytes of a request's head. Default 65,536. */
  readonly maxHeaderBytes?: number
  /** Value of the server header, set only where the upstream sent none. Default: left alone. */
  readonly serverName?: string
}

/** All in milliseconds; 0 switches one off. */
export interface HttpTimeouts {
  /** From the first byte of a request to the end of its head. Default 10,000. */
  readonly requestHeadersMs?: number
  /** The whole request, body included, has arrived. Default 0. */
  readonly requestMs?: number
  /** Nothing happens on one stream. Default 300,000. */
  readonly streamIdleMs?: number
  /** A connection without streams. Default 3,600,000. */
  readonly idleMs?: number
  readonly maxStreamDurationMs?: number
  readonly maxConnectionDurationMs?: number
}

export interface TcpProxy {
  readonly statPrefix: string
  /** Drawn by weight for each connection; empty: closed at once. */
  readonly clusters: readonly { readonly name: string; readonly weight: number }[]
  /** Nothing in either direction. Default 3,600,000. */
  readonly idleTimeoutMs?: number
  /** How often connecting is tried, each time with another endpoint. Default 1. */
  readonly maxConnectAttempts?: number
  readonly accessLogs: readonly AccessLog[]
  /** The route that made this choice, for explanations. */
  readonly route?: string
}

/** Name of the outbound listener of an address that applications dial. IPv6 without brackets. */
export const outboundName = (address: string, port: number): string => `outbound|${address}|${port}`
/** Carries connections to destinations that are no service: what MeshPassthrough allows. */
export const OUTBOUND_ANY = 'outbound|*'
/** Name of the inbound listener of an application's port. */
export const inboundName = (port: number): string => `inbound|${port}`
/**
 * Inbound listener of all other ports: those that neither the pod nor a service declares. Its chains carry bytes (`tcp`) to a cluster with
 * `originalDestination`; none of them takes plain text where mutual TLS is strict. Absent: such connections are closed.
 */
export const INBOUND_ANY = 'inbound|*'

/** Where a sidecar receives what comes for its application by interception. */
export const INBOUND_PORT = 15_006
/** Where a sidecar receives what its application dials. */
export const OUTBOUND_PORT = 15_001
/** Where a sidecar receives TLS of the mesh for any of its ports, by server name: used where nothing is intercepted. */
export const MESH_PORT = 15_008
/** Readiness of the sidecar, and probes of the application (`/app-health/<container>/<probe>`). */
export const HEALTH_PORT = 15_021
/** Who sidecars run as where the runtime can choose: what this user sends is not intercepted. */
export const PROXY_UID = 5_678
/** User that a node's proxy runs as, which serves pods from outside: not a sidecar's, whose files are not for it nor the other way round. */
export const NODE_PROXY_UID = 5_679

/** Server name that asks for a port at MESH_PORT, such as `p9080.mesh.biplane`. */
export const meshServerName = (port: number): string => `p${port}.mesh.biplane`
/** The port that a server name asks for. */
export function portOfServerName(name: string): number | undefined {
  const port = Number(/^p(\d{1,5})\.mesh\.biplane$/.exec(name)?.[1])
  return port >= 1 && port <= 65_535 ? port : undefined
}
/** ALPN protocols between sidecars: HTTP/2, HTTP/1.1, and opaque bytes. Envoy's and Istio's convention of a prefix keeps them apart from the application's own TLS. */
export const MESH_ALPN = { http2: 'biplane-h2', http1: 'biplane-http/1.1', tcp: 'biplane' } as const
