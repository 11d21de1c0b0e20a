import type {
  DiscoveryEndpointPort,
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  Endpoints,
  EndpointSubset,
  Service,
} from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { MANAGED_BY, SERVICE_NAME, type SlicePlan } from './plan-slices.ts'

export const MIRROR_MANAGER = 'endpointslicemirroring-controller.k8s.io'
const SKIP = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER = 'control-plane.alpha.kubernetes.io/leader'
/** Per subset; more are left out. Source: kubernetes/pkg/controller/endpointslicemirroring. */
const MAX_ADDRESSES = 1000

/** Whether Endpoints that somebody wrote by hand are to be shown as slices: nodes read slices only. */
export function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  if (!service || Object.keys(service.spec?.selector ?? {}).length > 0 || service.spec?.type === 'ExternalName') return false
  const { labels, annotations, deletionTimestamp } = endpoints.metadata
  return deletionTimestamp === undefined && labels?.[SKIP] !== 'true' && annotations?.[LEADER] === undefined
}

/** Decides which slices show what Endpoints say: one per subset and address family. Pure. */
export function planMirror(endpoints: Endpoints, slices: readonly EndpointSlice[]): Omit<SlicePlan, 'zones'> {
  const create: Omit<EndpointSlice, 'metadata'>[] = []
  const update: EndpointSlice[] = []
  const spare = [...slices]
  for (const wanted of (endpoints.subsets ?? []).flatMap(slicesOf)) {
    const same = spare.findIndex((slice) => slice.addressType === wanted.addressType && deepEqual(slice.ports ?? [], wanted.ports))
    const index = same >= 0 ? same : spare.findIndex((slice) => slice.addressType === wanted.addressType)
    const [slice] = index >= 0 ? spare.splice(index, 1) : []
    if (!slice) create.push(wanted)
    else {
      const next = { ...slice, ...wanted, metadata: { ...slice.metadata, labels: mirrorLabels(endpoints) } }
      if (!deepEqual(next, slice)) update.push(next)
    }
  }
  return { create, update, remove: spare }
}

/** Labels of a mirroring slice: those of the Endpoints, and whose it is. */
export function mirrorLabels({ metadata }: Endpoints): Record<string, string> {
  return { ...metadata.labels, [SERVICE_NAME]: metadata.name, [MANAGED_BY]: MIRROR_MANAGER }
}

function slicesOf(subset: EndpointSubset): Omit<EndpointSlice, 'metadata'>[] {
  const all = [
    ...(subset.addresses ?? []).map((address) => endpointOf(address, true)),
    ...(subset.notReadyAddresses ?? []).map((address) => endpointOf(address, false)),
  ].slice(0, MAX_ADDRESSES)
  const ports = (subset.ports ?? []).map(({ name = '', port, protocol = 'TCP', appProtocol }): DiscoveryEndpointPort => ({
    name,
    port,
    protocol,
    ...(appProtocol ? { appProtocol } : {}),
  }))
  return ['IPv4', 'IPv6'].flatMap((addressType) => {
    const endpoints = all.filter(({ addresses }) => addresses[0]?.includes(':') === (addressType === 'IPv6'))
    return endpoints.length === 0 ? [] : [{ addressType, endpoints, ports }]
  })
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef ? { targetRef } : {}),
  }
}
