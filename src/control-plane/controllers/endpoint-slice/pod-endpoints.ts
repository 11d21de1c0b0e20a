import type { DiscoveryEndpointPort, Endpoint, Pod, Service } from '../../../api/generated/types.ts'
import { isPodReady, podPhaseIsTerminal } from '../../../api/pod-status.ts'

/** Endpoints that may stand in one slice: of one address family, with the same port numbers. */
export interface EndpointGroup {
  readonly ports: readonly DiscoveryEndpointPort[]
  readonly addressType: string
  /** By `endpointKey`. */
  readonly endpoints: Map<string, Endpoint>
}

/**
 * The endpoints of a service, one group per address family and set of port numbers: named target ports may differ between pods. Pure.
 * A family without endpoints has one empty group, so that somebody who looks sees that it has none.
 */
export function groupEndpoints(
  service: Service,
  pods: readonly Pod[],
  zoneOf: (nodeName: string) => string | undefined = () => undefined,
): EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>()
  for (const family of familiesOf(service)) {
    let empty = true
    for (const pod of pods) {
      const ip = podAddress(pod, family)
      if (!ip || podPhaseIsTerminal(pod.status?.phase)) continue
      const ports = portsOf(service, pod)
      const key = JSON.stringify([family, ports])
      const group = groups.get(key) ?? { ports, addressType: family, endpoints: new Map<string, Endpoint>() }
      groups.set(key, group)
      const zone = pod.spec?.nodeName ? zoneOf(pod.spec.nodeName) : undefined
      const endpoint = endpointOf(service, pod, { ip, zone })
      group.endpoints.set(endpointKey(endpoint), endpoint)
      empty = false
    }
    if (empty) groups.set(family, { ports: [], addressType: family, endpoints: new Map() })
  }
  return [...groups.values()]
}

/** Families of a service, the first is the one that older clients see. */
export function familiesOf(service: Service): readonly string[] {
  return service.spec?.ipFamilies?.length ? service.spec.ipFamilies : ['IPv4']
}

/** The address of a pod in a family, or undefined. */
export function podAddress(pod: Pod, family: string): string | undefined {
  const known = pod.status?.podIPs ?? (pod.status?.podIP ? [{ ip: pod.status.podIP }] : [])
  return known.map((entry) => entry.ip).find((address) => address !== '' && address.includes(':') === (family === 'IPv6'))
}

/** Tells one endpoint from another of the same group. */
export function endpointKey(endpoint: Endpoint): string {
  return `${endpoint.targetRef?.uid ?? ''}/${endpoint.addresses[0]}`
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

function portsOf(service: Service, pod: Pod): DiscoveryEndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const protocol = port.protocol ?? 'TCP'
    const target = targetPort(port.targetPort ?? port.port, protocol, pod)
    const appProtocol = port.appProtocol ? { appProtocol: port.appProtocol } : {}
    return target === undefined ? [] : [{ name: port.name ?? '', port: target, protocol, ...appProtocol }]
  })
}

function endpointOf(service: Service, pod: Pod, { ip, zone }: { readonly ip: string; readonly zone: string | undefined }): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const serving = isPodReady(pod)
  const hostname = pod.spec?.hostname && pod.spec.subdomain === service.metadata.name ? { hostname: pod.spec.hostname } : {}
  return {
    addresses: [ip],
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...hostname,
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone ? { zone } : {}),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
  }
}
