import type { Endpoint, EndpointHints, EndpointSlice, Pod, Service } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { NO_TOPOLOGY, type ClusterTopology } from './cluster-topology.ts'
import { planHints } from './plan-hints.ts'
import { endpointKey, familiesOf, groupEndpoints, type EndpointGroup } from './pod-endpoints.ts'

/** Source: kubernetes/pkg/controller/endpointslice, --max-endpoints-per-slice. */
export const MAX_ENDPOINTS = 100
export const SERVICE_NAME = 'kubernetes.io/service-name'
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
export const MANAGER = 'endpointslice-controller.k8s.io'

export interface SlicePlan {
  readonly create: readonly Omit<EndpointSlice, 'metadata'>[]
  readonly update: readonly EndpointSlice[]
  readonly remove: readonly EndpointSlice[]
  /** For each family of a service that asks for zones by share: whether there are hints, and why. */
  readonly zones: readonly { readonly addressType: string; readonly on: boolean; readonly why: string }[]
}

/**
 * Decides which slices bring the endpoints of a service up to date with its pods, changing as few slices as it can:
 * endpoints stay in the slice they are in, new ones fill free places. Pure.
 */
export function planSlices(
  service: Service,
  pods: readonly Pod[],
  slices: readonly EndpointSlice[],
  topology: ClusterTopology = NO_TOPOLOGY,
): SlicePlan {
  const create: Omit<EndpointSlice, 'metadata'>[] = []
  const update: EndpointSlice[] = []
  const spare = new Set(slices)
  const groups = groupEndpoints(service, pods, topology.zoneOf)
  const zones = giveHints(service, groups, { slices, topology })
  for (const group of groups) {
    const mine = slices.filter((slice) => slice.addressType === group.addressType && deepEqual(slice.ports ?? [], group.ports))
    const filled = fill(group, mine)
    for (const [slice, endpoints] of filled.kept) {
      // an empty one stays only if it is all there is
      if (endpoints.length === 0 && filled.kept.size + filled.fresh.length > 1) continue
      spare.delete(slice)
      if (!deepEqual(endpoints, slice.endpoints ?? []) || !deepEqual(sliceLabels(service), slice.metadata.labels ?? {}))
        update.push(withContent(service, slice, { ports: [...group.ports], endpoints }))
    }
    for (const endpoints of filled.fresh) create.push({ addressType: group.addressType, ports: [...group.ports], endpoints })
  }
  // a slice that is left over becomes one that is missing: one write instead of two
  for (const slice of spare) {
    const index = create.findIndex((content) => content.addressType === slice.addressType)
    if (index < 0) continue
    const [content] = create.splice(index, 1)
    spare.delete(slice)
    update.push(withContent(service, slice, content ?? {}))
  }
  return { create, update, remove: [...spare], zones }
}

/** Puts hints on the endpoints of the groups, family by family. */
function giveHints(
  service: Service,
  groups: readonly EndpointGroup[],
  { slices, topology }: { readonly slices: readonly EndpointSlice[]; readonly topology: ClusterTopology },
): SlicePlan['zones'] {
  const current = new Map<string, EndpointHints>()
  for (const endpoint of slices.flatMap((slice) => slice.endpoints ?? [])) {
    if (endpoint.hints) current.set(endpointKey(endpoint), endpoint.hints)
  }
  return familiesOf(service).flatMap((addressType) => {
    const family = groups.filter((group) => group.addressType === addressType)
    const endpoints = family.flatMap((group) => [...group.endpoints.values()])
    const { hints, zones } = planHints(service, endpoints, topology, current)
    for (const group of family) {
      for (const [key, endpoint] of group.endpoints) {
        const hint = hints.get(key)
        if (hint) group.endpoints.set(key, { ...endpoint, hints: hint })
      }
    }
    return zones ? [{ addressType, ...zones }] : []
  })
}

/** Endpoints of a group into its slices: each stays where it is, new ones fill free places, the rest makes new slices. */
function fill(
  group: EndpointGroup,
  mine: readonly EndpointSlice[],
): { readonly kept: Map<EndpointSlice, Endpoint[]>; readonly fresh: Endpoint[][] } {
  const unplaced = new Map(group.endpoints)
  const kept = new Map<EndpointSlice, Endpoint[]>()
  for (const slice of mine) {
    const endpoints: Endpoint[] = []
    for (const key of (slice.endpoints ?? []).map(endpointKey)) {
      const endpoint = unplaced.get(key)
      // also leaves out what stands in two slices
      if (endpoint && unplaced.delete(key)) endpoints.push(endpoint)
    }
    kept.set(slice, endpoints)
  }
  const waiting = [...unplaced.values()]
  // fullest first, so that slices become full or empty
  for (const endpoints of [...kept.values()].sort((a, b) => b.length - a.length))
    endpoints.push(...waiting.splice(0, MAX_ENDPOINTS - endpoints.length))
  const fresh: Endpoint[][] = []
  while (waiting.length > 0 || (mine.length === 0 && fresh.length === 0)) fresh.push(waiting.splice(0, MAX_ENDPOINTS))
  return { kept, fresh }
}

const withContent = (service: Service, slice: EndpointSlice, content: Pick<EndpointSlice, 'ports' | 'endpoints'>): EndpointSlice => ({
  ...slice,
  metadata: { ...slice.metadata, labels: sliceLabels(service) },
  endpoints: content.endpoints,
  ports: content.ports,
})

/** Labels of a service's slices: the service's own, and those that say whose they are. */
export function sliceLabels(service: Service): Record<string, string> {
  const headless = service.spec?.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}
  return { ...service.metadata.labels, ...headless, [SERVICE_NAME]: service.metadata.name, [MANAGED_BY]: MANAGER }
}
