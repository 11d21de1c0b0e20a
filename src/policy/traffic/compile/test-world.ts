import type { EndpointSlice, Node, Pod, Service } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { translateGatewayApi, type GatewayObjects } from '../gateway-api/index.ts'
import {
  serviceKey,
  type Finding,
  type MeshServiceView,
  type MeshSettings,
  type MeshWorld,
  type ProxyView,
  type TrafficRoute,
} from '../input/index.ts'
import type { Endpoint, Origin } from '../model/index.ts'
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

// parts of worlds, for tests that are about the compiler alone

export const origin = (name: string, kind = 'HTTPRoute', namespace = 'shop'): Origin => ({ kind, group: 'test', namespace, name })
export const endpoint = (address: string): Endpoint => ({ address: { address, port: 8080 }, state: 'ready' })

export function service(
  name: string,
  options: Partial<MeshServiceView> & { endpoints?: readonly Endpoint[]; protocol?: 'http' | 'tcp' } = {},
): MeshServiceView {
  const { endpoints = [], protocol = 'http', ...rest } = options
  return {
    kind: 'Service',
    namespace: 'shop',
    name,
    labels: {},
    vips: [`10.96.0.${name.length}`],
    headless: false,
    hostnames: [],
    ports: [{ port: 80, name: protocol, protocol, targetPort: 8080, endpoints }],
    ...rest,
  }
}

export const worldOf = (services: readonly MeshServiceView[], more: Partial<MeshWorld> = {}): MeshWorld => ({
  mesh: MESH,
  services: new Map(services.map((one) => [serviceKey(one.namespace, one.name), one])),
  routes: [],
  policies: [],
  gateways: [],
  secrets: new Map(),
  trust: {},
  ...more,
})

export const proxy = (name: string, more: Partial<ProxyView> = {}): ProxyView => ({
  name: `${name}.shop`,
  kind: 'sidecar',
  dataPlane: 'biplane',
  namespace: 'shop',
  pod: name,
  labels: { app: name },
  serviceAccount: name,
  node: 'node-1',
  ips: ['10.0.0.1'],
  ports: [],
  draining: false,
  ...more,
})

export const route = (name: string, to: string, more: Partial<TrafficRoute> = {}): TrafficRoute => ({
  origin: origin(name),
  kind: 'http',
  parents: [{ type: 'service', namespace: 'shop', name: 'cart' }],
  hostnames: [],
  rules: [{ matches: [], backends: [{ namespace: 'shop', name: to, kind: 'Service', port: 80, weight: 1 }] }],
  unmatched: 'notFound',
  ...more,
})
