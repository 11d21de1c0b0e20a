import {
  MESH_ALPN,
  meshServerName,
  type Cluster,
  type ClusterLoadAssignment,
  type Endpoint,
  type ProxySettings,
  type RouteConfiguration,
  type UpstreamTls,
} from '../../../policy/traffic/model/index.ts'
import { healthCheck, outlierDetection } from './health.ts'
import { loadBalancer } from './load-balancer.ts'
import { ADS, any, byText, nonEmpty, socketAddress, type Json, type Note } from './resource.ts'
import { clientSocket, meshClientSocket } from './tls.ts'

/** What a cluster is generated from besides itself. */
export interface ClusterContext {
  readonly settings: Pick<ProxySettings, 'trust'>
  /** Its endpoints: which identities and ports they have decides which kinds of TLS the cluster holds ready. */
  readonly endpoints?: ClusterLoadAssignment
  /** The largest of the budgets of the routes that lead to it (`retryBudgets`): Envoy has them at clusters. */
  readonly budget?: RetryBudget
}

export interface RetryBudget {
  readonly percent: number
  readonly minConcurrent: number
}

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** Key and value in an endpoint's metadata by which its cluster chooses how to speak to it. */
const TRANSPORT_METADATA = 'envoy.transport_socket_match'
const MESH_KEY = 'mesh'
const PLAINTEXT = 'plaintext'

/** Which kind of TLS an endpoint takes: one for each pair of server name and identity, so that none can show another's certificate. */
const transportOf = (endpoint: Endpoint): string =>
  endpoint.identity === undefined ? PLAINTEXT : `${endpoint.address.port}|${endpoint.identity}`

export const transportMetadata = (endpoint: Endpoint): Json => ({
  filter_metadata: { [TRANSPORT_METADATA]: { [MESH_KEY]: transportOf(endpoint) } },
})

export function clusterOf(cluster: Cluster, context: ClusterContext, note: Note): Json {
  const version = httpVersion(cluster, context.endpoints)
  if (cluster.protocol === 'mirror' && cluster.tls?.mode === 'mesh' && version === 'http1') {
    note('some endpoints take TLS of the mesh and some do not: all are spoken to in HTTP/1.1 until all do')
  }
  // only the newest versions of Envoy take several
  for (const { type } of cluster.healthChecks.slice(1))
    note(`the health check of type ${type} is left out: only the first one of a cluster is made`)
  return {
    name: cluster.name,
    alt_stat_name: cluster.statName,
    ...discovery(cluster),
    connect_timeout: cluster.connectTimeoutMs ?? 5000,
    ...(cluster.discovery.type === 'originalDestination' ? { lb_policy: 'CLUSTER_PROVIDED' } : loadBalancer(cluster.loadBalancer)),
    common_lb_config: {
      healthy_panic_threshold: { value: cluster.healthyPanicPercent ?? 50 },
      zone_aware_lb_config: cluster.healthChecks.some((check) => check.failTrafficOnPanic) ? { fail_traffic_on_panic: true } : undefined,
    },
    circuit_breakers: { thresholds: [limits(cluster, context.budget)] },
    outlier_detection: cluster.outlierDetection && outlierDetection(cluster.outlierDetection),
    health_checks: nonEmpty(cluster.healthChecks.slice(0, 1).map((check) => healthCheck(check, version === 'http2'))),
    typed_extension_protocol_options: version === undefined ? undefined : { [OPTIONS]: protocolOptions(cluster, version) },
    ...transport(cluster.tls, version, context),
  }
}

/** Undefined: no HTTP at all. */
type HttpVersion = 'http1' | 'http2' | 'downstream' | undefined

/**
 * Envoy's clusters speak one protocol to all endpoints. HTTP is HTTP/1.1 to the mesh too: WebSockets pass, and plaintext endpoints beside it are reached. What
 * mirrors its clients is HTTP/2 where every endpoint is of the mesh, because then TLS and not the client names the protocol.
 */
function httpVersion({ protocol, tls }: Cluster, endpoints: ClusterLoadAssignment | undefined): HttpVersion {
  switch (protocol) {
    case 'tcp':
      return undefined
    case 'http2':
      return 'http2'
    case 'http':
      return 'http1'
    case 'mirror':
      if (tls?.mode !== 'mesh' || !endpoints?.endpoints.some(({ identity }) => identity !== undefined)) return 'downstream'
      return endpoints.endpoints.every(({ identity }) => identity !== undefined) ? 'http2' : 'http1'
  }
}

function protocolOptions(cluster: Cluster, version: HttpVersion): Json {
  const http2_protocol_options = { allow_connect: true }
  const auto = cluster.tls?.mode === 'tls' && cluster.tls.serverName === undefined
  return any(OPTIONS, {
    common_http_protocol_options: {
      idle_timeout: cluster.idleTimeoutMs ?? (version === 'http2' ? 3_600_000 : 60_000),
      max_connection_duration: cluster.maxConnectionDurationMs || undefined,
      max_requests_per_connection: cluster.limits.maxRequestsPerConnection,
    },
    upstream_http_protocol_options: auto
      ? {
          auto_sni: true,
          auto_san_validation: cluster.tls?.mode === 'tls' && cluster.tls.verify === 'full' && !cluster.tls.subjectAltNames,
        }
      : undefined,
    ...(version === 'downstream'
      ? { use_downstream_protocol_config: { http_protocol_options: {}, http2_protocol_options } }
      : { explicit_http_config: version === 'http2' ? { http2_protocol_options } : { http_protocol_options: {} } }),
  })
}

function limits(
  { limits: { maxConnections, maxPendingRequests, maxRequests, maxRetries } }: Cluster,
  budget: RetryBudget | undefined,
): Json {
  return {
    max_connections: maxConnections,
    max_pending_requests: maxPendingRequests,
    max_requests: maxRequests,
    max_retries: maxRetries,
    retry_budget: budget && { budget_percent: { value: budget.percent }, min_retry_concurrency: budget.minConcurrent },
  }
}

function discovery({ name, discovery }: Cluster): Json {
  const assignment = (endpoints: readonly { readonly address: string; readonly port: number; readonly priority?: number }[]): Json => ({
    cluster_name: name,
    endpoints: [...new Set(endpoints.map(({ priority = 0 }) => priority))]
      .toSorted((a, b) => a - b)
      .map((priority, index) => ({
        priority: index,
        lb_endpoints: endpoints
          .filter((one) => (one.priority ?? 0) === priority)
          .map(({ address, port }) => ({ endpoint: { address: socketAddress(address, port) } })),
      })),
  })
  switch (discovery.type) {
    case 'eds':
      return { type: 'EDS', eds_cluster_config: { eds_config: ADS, service_name: discovery.name } }
    case 'dns':
      return {
        type: 'STRICT_DNS',
        respect_dns_ttl: true,
        load_assignment: assignment(
          discovery.hosts.map(({ host, port, priority }) => ({ address: host, port, ...(priority === undefined ? {} : { priority }) })),
        ),
      }
    case 'static':
      return { type: 'STATIC', load_assignment: assignment(discovery.addresses) }
    case 'originalDestination':
      return { type: 'ORIGINAL_DST' }
  }
}

function transport(tls: UpstreamTls | undefined, version: HttpVersion, { settings, endpoints }: ClusterContext): Json {
  if (!tls) return {}
  if (tls.mode === 'tls') return { transport_socket: clientSocket(tls) }
  const domains = Object.keys(settings.trust)
  // gRPC inside of an application knows none of the mesh's own
  const alpn = version === undefined ? [MESH_ALPN.tcp] : version === 'http2' ? [MESH_ALPN.http2, 'h2'] : [MESH_ALPN.http1]
  const meshed = new Map(
    (endpoints?.endpoints ?? []).filter(({ identity }) => identity !== undefined).map((one) => [transportOf(one), one]),
  )
  return {
    transport_socket_matches: [
      ...[...meshed]
        .toSorted(([a], [b]) => byText(a, b))
        .map(([value, { address, identity = '' }]) => ({
          name: value,
          match: { [MESH_KEY]: value },
          transport_socket: meshClientSocket([identity], domains, meshServerName(address.port), alpn),
        })),
      {
        name: PLAINTEXT,
        match: { [MESH_KEY]: PLAINTEXT },
        transport_socket: {
          name: 'envoy.transport_sockets.raw_buffer',
          typed_config: any('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', { '@value': '' }),
        },
      },
    ],
    // of an endpoint that is newer than this cluster: it does not get plaintext by mistake
    transport_socket: meshClientSocket(tls.identities, domains, undefined, alpn),
  }
}

/** Budgets by cluster, of all routes that lead there; where several do the largest counts. */
export function retryBudgets(routes: Iterable<RouteConfiguration>): ReadonlyMap<string, RetryBudget> {
  const budgets = new Map<string, RetryBudget>()
  for (const { virtualHosts } of routes) {
    for (const { action } of virtualHosts.flatMap((host) => host.routes)) {
      if (action.type !== 'forward' || !action.retry?.budget) continue
      const { percent, minConcurrent } = action.retry.budget
      for (const { cluster } of action.clusters) {
        const other = budgets.get(cluster)
        budgets.set(cluster, {
          percent: Math.max(percent, other?.percent ?? 0),
          minConcurrent: Math.max(minConcurrent, other?.minConcurrent ?? 0),
        })
      }
    }
  }
  return budgets
}
