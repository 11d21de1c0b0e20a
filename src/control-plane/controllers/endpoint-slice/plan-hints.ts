import type { Endpoint, EndpointHints, Service } from '../../../api/generated/types.ts'
import { planZones } from './plan-zones.ts'
import type { ClusterTopology } from './cluster-topology.ts'
import { endpointKey } from './pod-endpoints.ts'

const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode'
const OLDER_NAME = 'service.kubernetes.io/topology-aware-hints'

/** Who is advised to use an endpoint, by `endpointKey`. */
export interface HintPlan {
  readonly hints: ReadonlyMap<string, EndpointHints>
  /** Set where the user asked for zones by share: whether there are hints, and if not why. */
  readonly zones?: { readonly on: boolean; readonly why: string }
}

const NONE: HintPlan = { hints: new Map() }

/** Whether endpoints are shared out to zones in proportion to their processors. */
export function sharesZones(service: Service): boolean {
  const { annotations = {} } = service.metadata
  const mode = annotations[TOPOLOGY_MODE] ?? annotations[OLDER_NAME]
  return mode === 'Auto' || mode === 'auto'
}

/**
 * Hints of a service's endpoints of one address family. Pure. The annotation comes before `spec.trafficDistribution`.
 * Source: KEP-2433 (topology aware routing), KEP-4444 and KEP-3015 (trafficDistribution), k8s.io/endpointslice.
 * @param current hints the endpoints have now: of several that could get one, the one that has it keeps it
 */
export function planHints(
  service: Service,
  endpoints: readonly Endpoint[],
  topology: ClusterTopology,
  current: ReadonlyMap<string, EndpointHints>,
): HintPlan {
  const ready = endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
  if (sharesZones(service)) {
    const keyed = ready.map((endpoint) => {
      const key = endpointKey(endpoint)
      return { key, zone: endpoint.zone, hint: current.get(key)?.forZones?.[0]?.name }
    })
    const { zones, why } = planZones(keyed, topology)
    if (!zones) return { hints: NONE.hints, zones: { on: false, why } }
    return { hints: new Map([...zones].map(([key, name]) => [key, { forZones: [{ name }] }])), zones: { on: true, why } }
  }
  const distribution = service.spec?.trafficDistribution
  if (distribution === undefined) return NONE
  const hints = new Map<string, EndpointHints>()
  for (const endpoint of ready) {
    const { zone, nodeName } = endpoint
    const forNodes = distribution === 'PreferSameNode' && nodeName ? { forNodes: [{ name: nodeName }] } : {}
    const forZones = zone ? { forZones: [{ name: zone }] } : {}
    if (Object.keys({ ...forNodes, ...forZones }).length > 0) hints.set(endpointKey(endpoint), { ...forNodes, ...forZones })
  }
  return { hints }
}
