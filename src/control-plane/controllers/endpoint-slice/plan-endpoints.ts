import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service } from '../../../api/generated/types.ts'
import { isPodReady, podPhaseIsTerminal } from '../../../api/pod-status.ts'
import { familiesOf, podAddress, targetPort } from './pod-endpoints.ts'

/** Most addresses in one Endpoints object; more are cut and the object is marked. Source: kubernetes/pkg/controller/endpoint. */
const MAX_ADDRESSES = 1000
export const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity'

/**
 * The subsets of the old-style Endpoints object of a service. Pure; sorted, so that equal states compare equal. Beyond
 * the capacity ready addresses come first.
 */
export function planEndpoints(service: Service, pods: readonly Pod[]): { readonly subsets: EndpointSubset[]; readonly truncated: boolean } {
  const isReady = (pod: Pod): boolean => isPodReady(pod) || service.spec?.publishNotReadyAddresses === true
  const byName = (a: Pod, b: Pod): number => (a.metadata.name < b.metadata.name ? -1 : 1)
  const shown = pods.filter((pod) => isShown(service, pod)).sort(byName)
  const truncated = shown.length > MAX_ADDRESSES
  const kept = truncated ? [...shown.filter(isReady), ...shown.filter((pod) => !isReady(pod))].slice(0, MAX_ADDRESSES).sort(byName) : shown
  const subsets = new Map<string, EndpointSubset>()
  for (const pod of kept) {
    const ports = portsOf(service, pod)
    // a pod without any of the ports takes part only where the service has none
    if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue
    const key = JSON.stringify(ports)
    const subset = subsets.get(key) ?? (ports.length > 0 ? { ports } : {})
    subsets.set(key, subset)
    const list = isReady(pod) ? (subset.addresses ??= []) : (subset.notReadyAddresses ??= [])
    list.push(addressOf(service, pod))
  }
  return { subsets: [...subsets.values()], truncated }
}

/** There is room for one address: that of the service's first family. */
function addressIn(service: Service, pod: Pod): string | undefined {
  return podAddress(pod, familiesOf(service)[0] ?? 'IPv4')
}

function isShown(service: Service, pod: Pod): boolean {
  if (addressIn(service, pod) === undefined || podPhaseIsTerminal(pod.status?.phase)) return false
  return !pod.metadata.deletionTimestamp || service.spec?.publishNotReadyAddresses === true
}

function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const protocol = port.protocol ?? 'TCP'
    const number = targetPort(port.targetPort ?? port.port, protocol, pod)
    if (number === undefined) return []
    return [
      { ...(port.name ? { name: port.name } : {}), port: number, protocol, ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}) },
    ]
  })
}

function addressOf(service: Service, pod: Pod): EndpointAddress {
  const hostname = pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}
  return {
    ip: addressIn(service, pod) ?? '',
    ...hostname,
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
  }
}

/** Labels of a service's Endpoints: the service's own, and those that say whose they are. */
export function endpointsLabels(service: Service): Record<string, string> {
  const headless = service.spec?.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}
  return { ...service.metadata.labels, ...headless, [ENDPOINTS_MANAGED_BY]: ENDPOINTS_MANAGER }
}

/** Source: kubernetes/pkg/controller/endpoint. */
export const ENDPOINTS_MANAGED_BY = 'endpoints.kubernetes.io/managed-by'
export const ENDPOINTS_MANAGER = 'endpoint-controller'

/** The annotations an Endpoints object should have, or undefined for none. */
export function endpointsAnnotations(current: Endpoints | undefined, truncated: boolean): Record<string, string> | undefined {
  const { [OVER_CAPACITY]: _old, ...rest } = current?.metadata.annotations ?? {}
  const next = truncated ? { ...rest, [OVER_CAPACITY]: 'truncated' } : rest
  return Object.keys(next).length > 0 ? next : undefined
}
