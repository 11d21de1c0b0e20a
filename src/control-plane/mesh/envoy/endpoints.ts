import type { Cluster, ClusterLoadAssignment, Endpoint, LocalityAwareness } from '../../../policy/traffic/model/index.ts'
import { transportMetadata } from './cluster.ts'
import { byText, socketAddress, type Json } from './resource.ts'

/** Where the proxy is: labels of its pod and node, for rules that prefer endpoints nearby. */
export interface Place {
  readonly zone?: string
  readonly node?: string
  readonly labels: Readonly<Record<string, string>>
}

/**
 * The endpoints of a cluster as localities, one for each priority and zone. Endpoints that are near by the cluster's affinity come first: they get priorities
 * of their own. An endpoint without weight gets nothing.
 */
export function loadAssignment(assignment: ClusterLoadAssignment, cluster: Cluster | undefined, place: Place): Json {
  const locality = cluster?.loadBalancer.locality
  const { failoverPercent } = locality ?? {}
  return {
    cluster_name: assignment.name,
    endpoints: localities(assignment.endpoints, locality, place).map(({ priority, zone, members }) => ({
      priority,
      locality: zone === undefined ? undefined : { zone },
      lb_endpoints: members.map((endpoint) => lbEndpoint(endpoint, cluster?.tls?.mode === 'mesh')),
    })),
    policy:
      failoverPercent === undefined
        ? undefined
        : { overprovisioning_factor: Math.round(10_000 / Math.min(100, Math.max(1, failoverPercent))) },
  }
}

export interface Locality {
  /** Counted from 0 without gaps. */
  readonly priority: number
  readonly zone?: string
  readonly members: readonly Endpoint[]
}

/** In the order of priority, zone and address. */
export function localities(endpoints: readonly Endpoint[], awareness: LocalityAwareness | undefined, place: Place): readonly Locality[] {
  const groups = new Map<string, { readonly rank: readonly [number, number]; readonly zone?: string; readonly members: Endpoint[] }>()
  for (const endpoint of endpoints) {
    if (endpoint.weight === 0) continue
    const rank = [endpoint.priority ?? 0, distance(endpoint, awareness, place)] as const
    const key = JSON.stringify([rank, endpoint.zone])
    const group = groups.get(key)
    if (group) group.members.push(endpoint)
    else groups.set(key, { rank, ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }), members: [endpoint] })
  }
  const sorted = [...groups.values()].toSorted(
    (a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || byText(a.zone ?? '', b.zone ?? ''),
  )
  const ranks = [...new Set(sorted.map(({ rank }) => rank.join()))]
  return sorted.map(({ rank, zone, members }) => ({
    priority: ranks.indexOf(rank.join()),
    ...(zone === undefined ? {} : { zone }),
    members: members.toSorted((a, b) => byText(a.address.address, b.address.address) || a.address.port - b.address.port),
  }))
}

/** 0: the same by the most important label that is known of both. */
function distance(endpoint: Endpoint, awareness: LocalityAwareness | undefined, place: Place): number {
  const affinity = awareness?.affinity ?? []
  const at = affinity.findIndex(({ key }) => {
    const own = labelOf(key, place)
    return own !== undefined && own === labelOf(key, endpoint)
  })
  return at === -1 ? affinity.length : at
}

function labelOf(key: string, { zone, node, labels }: Pick<Endpoint, 'zone' | 'node' | 'labels'>): string | undefined {
  if (labels?.[key] !== undefined) return labels[key]
  if (key === 'topology.kubernetes.io/zone') return zone
  return key === 'kubernetes.io/hostname' ? node : undefined
}

const HEALTH = { ready: 'HEALTHY', draining: 'DRAINING', unhealthy: 'UNHEALTHY' } as const

function lbEndpoint(endpoint: Endpoint, mesh: boolean): Json {
  const { address, meshPort, identity, state, weight } = endpoint
  return {
    endpoint: { address: socketAddress(address.address, mesh && identity !== undefined ? (meshPort ?? address.port) : address.port) },
    health_status: HEALTH[state],
    load_balancing_weight: weight,
    metadata: mesh ? transportMetadata(endpoint) : undefined,
  }
}
