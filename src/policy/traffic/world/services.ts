import type { EndpointSlice, Node, Pod, Service } from '../../../api/generated/types.ts'
import { serviceKey, type MeshServiceView, type ServicePortView } from '../input/index.ts'
import type { Endpoint, Protocol } from '../model/index.ts'
import { meshPortOf, podIdentity, takesMeshTraffic } from './mesh-pods.ts'
import { portProtocol } from './port-protocol.ts'

/** What endpoints are made of. */
export interface EndpointFacts {
  readonly pod: (namespace: string, name: string) => Pod | undefined
  readonly node: (name: string) => Node | undefined
  /** Mutual TLS is given out: meshed pods have identities. */
  readonly mtls: boolean
  readonly trustDomain: string
}

const ZONE = 'topology.kubernetes.io/zone'

/** A Service of the cluster as the mesh sees it. Only TCP; a service without a port of it is none. @param slices its own */
export function meshService(service: Service, slices: readonly EndpointSlice[], facts: EndpointFacts): MeshServiceView | undefined {
  const { metadata, spec } = service
  if (!spec || spec.type === 'ExternalName') return undefined
  const ports = (spec.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP')
  if (ports.length === 0) return undefined
  const vips = (spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None')
  const chosen = spec.clusterIP === 'None' ? slices : ofOneFamily(slices, spec.ipFamilies?.[0])
  return {
    kind: 'Service',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    vips,
    headless: spec.clusterIP === 'None',
    hostnames: [],
    ports: ports.map((port): ServicePortView => ({
      port: port.port,
      name: port.name ?? '',
      protocol: portProtocol(port),
      targetPort: port.targetPort ?? port.port,
      endpoints: endpointsOf(chosen, { name: port.name ?? '', protocol: portProtocol(port), namespace: metadata.namespace ?? '' }, facts),
    })),
  }
}

/** All services of a cluster, by `serviceKey`. */
export function meshServices(
  services: readonly Service[],
  slicesOf: (service: Service) => readonly EndpointSlice[],
  facts: EndpointFacts,
): ReadonlyMap<string, MeshServiceView> {
  return new Map(
    services.flatMap((service) => {
      const view = meshService(service, slicesOf(service), facts)
      return view ? [[serviceKey(view.namespace, view.name), view] as const] : []
    }),
  )
}

/** A pod with addresses of both families is one endpoint, not two: the service's first family counts. Clients of headless services dial either. */
function ofOneFamily(slices: readonly EndpointSlice[], primary: string | undefined): readonly EndpointSlice[] {
  const [first] = slices
  const own = slices.filter(({ addressType }) => addressType === (primary ?? first?.addressType))
  return own.some(({ endpoints = [] }) => endpoints.length > 0) ? own : slices
}

/** Endpoints of a port, each address once, in an order of their own. */
function endpointsOf(
  slices: readonly EndpointSlice[],
  wanted: { readonly name: string; readonly protocol: Protocol; readonly namespace: string },
  facts: EndpointFacts,
): readonly Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const { addressType, endpoints = [], ports = [] } of slices) {
    const port = ports.find(({ name, protocol = 'TCP' }) => (name ?? '') === wanted.name && protocol === 'TCP')?.port
    if (port === undefined || addressType === 'FQDN') continue
    for (const { addresses, conditions = {}, targetRef, zone, nodeName } of endpoints) {
      const address = addresses[0]
      if (address === undefined) continue
      const state = stateOf(conditions)
      if (state === undefined) continue
      const pod = targetRef?.kind === 'Pod' ? facts.pod(targetRef.namespace ?? wanted.namespace, targetRef.name ?? '') : undefined
      const key = `${address} ${port}`
      // one address may stand in two slices while it moves from one to the other
      if (found.get(key)?.state === 'ready') continue
      const place = zone ?? facts.node(nodeName ?? '')?.metadata.labels?.[ZONE]
      const meshPort = pod && meshPortOf(pod, address)
      const isMeshed = pod !== undefined && facts.mtls && takesMeshTraffic(pod, { port, protocol: wanted.protocol })
      found.set(key, {
        address: { address, port },
        state,
        ...(isMeshed ? { identity: podIdentity(pod, facts.trustDomain) } : {}),
        ...(isMeshed && meshPort !== undefined ? { meshPort } : {}),
        ...(place === undefined ? {} : { zone: place }),
        ...(nodeName === undefined ? {} : { node: nodeName }),
        ...(pod ? { labels: pod.metadata.labels ?? {}, pod: `${pod.metadata.namespace}/${pod.metadata.name}` } : {}),
      })
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)
}

/** Undefined: gets nothing at all. Source: EndpointSlice conditions, KEP-1672. */
function stateOf(conditions: {
  readonly ready?: boolean | undefined
  readonly serving?: boolean | undefined
  readonly terminating?: boolean | undefined
}): Endpoint['state'] | undefined {
  if (conditions.terminating) return (conditions.serving ?? conditions.ready) ? 'draining' : undefined
  return conditions.ready === false ? undefined : 'ready'
}
