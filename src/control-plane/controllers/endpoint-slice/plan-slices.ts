import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Pod, Service } from '../../../api/generated/types.ts'
import { isPodReady, podPhaseIsTerminal } from '../../../api/pod-status.ts'
import { deepEqual } from '../../../api/meta/equality.ts'

/** Source: kubernetes/pkg/controller/endpointslice, --max-endpoints-per-slice. */
export const MAX_ENDPOINTS = 100
export const SERVICE_NAME = 'kubernetes.io/service-name'
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
export const MANAGER = 'endpointslice-controller.k8s.io'

export interface SlicePlan {
  readonly create: readonly Omit<EndpointSlice, 'metadata'>[]
  readonly update: readonly EndpointSlice[]
  readonly remove: readonly EndpointSlice[]
}

interface Group {
  readonly ports: readonly DiscoveryEndpointPort[]
  readonly addressType: string
  readonly endpoints: Map<string, Endpoint>
}

/**
 * Decides which slices bring the endpoints of a service up to date with its pods, changing as few slices as it can:
 * endpoints stay in the slice they are in, new ones fill free places. Pure.
 */
export function planSlices(service: Service, pods: readonly Pod[], slices: readonly EndpointSlice[]): SlicePlan {
  const create: Omit<EndpointSlice, 'metadata'>[] = []
  const update: EndpointSlice[] = []
  const spare = new Set(slices)
  for (const group of groupsOf(service, pods)) {
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
  return { create, update, remove: [...spare] }
}

/** Endpoints of a group into its slices: each stays where it is, new ones fill free places, the rest makes new slices. */
function fill(
  group: Group,
  mine: readonly EndpointSlice[],
): { readonly kept: Map<EndpointSlice, Endpoint[]>; readonly fresh: Endpoint[][] } {
  const unplaced = new Map(group.endpoints)
  const kept = new Map<EndpointSlice, Endpoint[]>()
  for (const slice of mine) {
    const endpoints: Endpoint[] = []
    for (const key of (slice.endpoints ?? []).map(keyOf)) {
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

/** One group per address family and set of port numbers: named target ports may differ between pods. */
function groupsOf(service: Service, pods: readonly Pod[]): Group[] {
  const groups = new Map<string, Group>()
  const families = service.spec?.ipFamilies ?? ['IPv4']
  for (const family of families) {
    for (const pod of pods) {
      const ip = (pod.status?.podIPs ?? []).map((entry) => entry.ip).find((address) => address.includes(':') === (family === 'IPv6'))
      if (!ip || podPhaseIsTerminal(pod.status?.phase)) continue
      const ports = portsOf(service, pod)
      const key = JSON.stringify([family, ports])
      const group = groups.get(key) ?? { ports, addressType: family, endpoints: new Map<string, Endpoint>() }
      groups.set(key, group)
      const endpoint = endpointOf(service, pod, ip)
      group.endpoints.set(keyOf(endpoint), endpoint)
    }
  }
  if (groups.size === 0) groups.set('', { ports: [], addressType: families[0] ?? 'IPv4', endpoints: new Map() })
  return [...groups.values()]
}

function portsOf(service: Service, pod: Pod): DiscoveryEndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const target = targetPort(port.targetPort ?? port.port, port.protocol ?? 'TCP', pod)
    return target === undefined
      ? []
      : [
          {
            name: port.name ?? '',
            port: target,
            protocol: port.protocol ?? 'TCP',
            ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
          },
        ]
  })
}

/** The container port a service port leads to in this pod, or undefined when the pod has none of that name. */
export function targetPort(target: number | string, protocol: string, pod: Pod): number | undefined {
  if (typeof target === 'number') return target
  const containers = [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always'),
  ]
  return containers
    .flatMap((container) => container.ports ?? [])
    .find((port) => port.name === target && (port.protocol ?? 'TCP') === protocol)?.containerPort
}

function endpointOf(service: Service, pod: Pod, ip: string): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isPodReady(pod)
  const hostname = pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}
  return {
    addresses: [ip],
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...hostname,
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
  }
}

const keyOf = (endpoint: Endpoint): string => `${endpoint.targetRef?.uid ?? ''}/${endpoint.addresses[0]}`
