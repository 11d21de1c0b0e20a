import type { Cluster, ClusterLoadAssignment } from '../../../policy/traffic/model/index.ts'
import { outlierDetection } from '../envoy/health.ts'
import { ADS, socketAddress, type Json, type Note } from '../envoy/resource.ts'
import { clientSocket } from './tls.ts'

/** A cluster for gRPC; undefined where it has no kind of cluster for it. */
export function clusterOf(cluster: Cluster, endpoints: ClusterLoadAssignment | undefined, note: Note): Json | undefined {
  const found = discovery(cluster)
  if (!found) {
    note(`gRPC finds endpoints by EDS or by one name in DNS, not by ${cluster.discovery.type}: the cluster is left out`)
    return undefined
  }
  if (cluster.healthChecks.length > 0) note('gRPC makes no health checks by xDS')
  const { maxRequests } = cluster.limits
  for (const limit of ['maxConnections', 'maxPendingRequests', 'maxRetries', 'maxRequestsPerConnection'] as const) {
    if (cluster.limits[limit] !== undefined) note(`gRPC knows no limit ${limit}`)
  }
  return {
    name: cluster.name,
    ...found,
    ...balancer(cluster, note),
    circuit_breakers: maxRequests === undefined ? undefined : { thresholds: [{ max_requests: maxRequests }] },
    outlier_detection: cluster.outlierDetection && outlier(cluster.outlierDetection, note),
    ...transport(cluster, endpoints, note),
  }
}

function discovery({ discovery }: Cluster): Json | undefined {
  if (discovery.type === 'eds') return { type: 'EDS', eds_cluster_config: { eds_config: ADS, service_name: discovery.name } }
  const [only, ...others] = discovery.type === 'dns' ? discovery.hosts : []
  if (!only || others.length > 0) return undefined
  return {
    type: 'LOGICAL_DNS',
    load_assignment: {
      cluster_name: only.host,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(only.host, only.port) } }] }],
    },
  }
}

function balancer({ loadBalancer }: Cluster, note: Note): Json {
  if (loadBalancer.type === 'ringHash') {
    if (loadBalancer.hash !== 'xxhash') note('gRPC hashes rings by xxhash alone')
    // gRPC refuses larger ones
    const size = (value: number): number => Math.min(value, 8_388_608)
    return {
      lb_policy: 'RING_HASH',
      ring_hash_lb_config: {
        minimum_ring_size: size(loadBalancer.minSize),
        maximum_ring_size: size(loadBalancer.maxSize),
        hash_function: 'XX_HASH',
      },
    }
  }
  if (loadBalancer.type !== 'roundRobin') note(`not all of gRPC's libraries balance by ${loadBalancer.type}: round robin instead`)
  if (loadBalancer.slowStartMs) note('gRPC knows no slow start')
  return { lb_policy: 'ROUND_ROBIN' }
}

/** gRPC judges by success rate and failure percentage. Source: gRFC A50. */
function outlier(detection: NonNullable<Cluster['outlierDetection']>, note: Note): Json {
  if (detection.consecutive5xx ?? detection.consecutiveGatewayFailures ?? detection.consecutiveLocalFailures) {
    note('gRPC ejects endpoints by success rate and failure percentage, not by failures in a row')
  }
  const { interval, base_ejection_time, max_ejection_time, max_ejection_percent, ...rest } = outlierDetection(detection)
  const kept = Object.entries(rest).filter(([name]) => /^(enforcing_)?(success_rate|failure_percentage)(?!.*local)/.test(name))
  return { interval, base_ejection_time, max_ejection_time, max_ejection_percent, ...Object.fromEntries(kept) }
}

function transport({ tls }: Cluster, endpoints: ClusterLoadAssignment | undefined, note: Note): Json {
  if (!tls) return {}
  if (tls.mode === 'tls') {
    note('gRPC has TLS of the mesh alone by xDS: this cluster is spoken to without, or by the credentials of the application')
    return {}
  }
  const all = endpoints?.endpoints ?? []
  const meshed = all.filter(({ identity }) => identity !== undefined)
  if (meshed.length === 0) return {}
  if (meshed.length < all.length) note('some endpoints take no TLS of the mesh: gRPC speaks TLS to all of a cluster, those are not reached')
  if (meshed.some(({ meshPort }) => meshPort !== undefined)) {
    note(
      'some endpoints take TLS of the mesh by server name at another port: gRPC sends no such name and reaches those only where the application ends TLS itself',
    )
  }
  const identities = new Set([...tls.identities, ...meshed.flatMap(({ identity }) => (identity === undefined ? [] : [identity]))])
  return { transport_socket: clientSocket([...identities]) }
}
