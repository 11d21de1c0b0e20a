import type { EndpointSlice, Node, Pod, Service } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { translateGatewayApi, type GatewayObjects } from '../gateway-api/index.ts'
import type { Finding, MeshSettings, MeshWorld, ProxyView } from '../input/index.ts'
import { defaultPolicies, translateKuma } from '../kuma/index.ts'
import { meshServices, proxyView } from '../world/index.ts'

export const MESH: MeshSettings = {
  mtls: true,
  trustDomain: 'default.mesh.local',
  issuer: 'own',
  defaultMode: 'permissive',
  defaultPermission: 'deny',
  domain: 'cluster.local',
}

const LISTS: Readonly<Record<string, keyof GatewayObjects>> = {
  GatewayClass: 'gatewayClasses',
  Gateway: 'gateways',
  HTTPRoute: 'httpRoutes',
  GRPCRoute: 'grpcRoutes',
  TCPRoute: 'tcpRoutes',
  TLSRoute: 'tlsRoutes',
  ReferenceGrant: 'referenceGrants',
  Service: 'services',
  Namespace: 'namespaces',
  Secret: 'secrets',
}

/** A world and its proxies of objects as people apply them, made as the control plane makes it. */
export function worldOfObjects(
  objects: readonly KubeObject[],
  options: { readonly mesh?: Partial<MeshSettings>; readonly defaults?: boolean } = {},
): { readonly world: MeshWorld; readonly proxies: readonly ProxyView[]; readonly findings: readonly Finding[] } {
  const of = <T extends KubeObject>(kind: string): T[] => objects.filter((object) => object.kind === kind) as T[]
  const [pods, services, slices, nodes] = [
    of<Pod & KubeObject>('Pod'),
    of<Service & KubeObject>('Service'),
    of<EndpointSlice & KubeObject>('EndpointSlice'),
    of<Node & KubeObject>('Node'),
  ]
  const node = (name: string): Node | undefined => nodes.find(({ metadata }) => metadata.name === name)
  const base = { ...MESH, ...options.mesh }
  const proxies = pods.flatMap((pod) => {
    const view = proxyView(
      pod,
      services.filter(({ metadata }) => metadata.namespace === pod.metadata.namespace),
      { node },
    )
    return view ? [view] : []
  })
  const slicesOf = (service: Service): EndpointSlice[] =>
    slices.filter(
      ({ metadata }) =>
        metadata.namespace === service.metadata.namespace && metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name,
    )
  const own = meshServices(services, slicesOf, {
    pod: (namespace, name) => pods.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    node,
    mtls: base.mtls,
    trustDomain: base.trustDomain,
  })
  const kuma = translateKuma({ objects, services: own, proxies, mesh: base, systemNamespace: 'biplane-system' })
  const gatewayObjects: Record<string, KubeObject[]> = {}
  for (const [kind, list] of Object.entries(LISTS)) gatewayObjects[list] = of(kind)
  const gatewayApi = translateGatewayApi(gatewayObjects as GatewayObjects)
  return {
    proxies,
    findings: [...kuma.findings, ...gatewayApi.findings],
    world: {
      mesh: kuma.mesh,
      services: new Map([...own, ...kuma.services]),
      routes: [...gatewayApi.routes, ...kuma.routes],
      policies: [...(options.defaults ? defaultPolicies(kuma.skippedDefaults) : []), ...kuma.policies],
      gateways: [...gatewayApi.gateways, ...kuma.gateways],
      secrets: new Map([...gatewayApi.secrets, ...kuma.secrets]),
      trust: kuma.trust,
    },
  }
}
