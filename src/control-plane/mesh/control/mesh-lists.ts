import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import { services } from '../../../api/core/v1/service.ts'
import { meshAuthorizationPolicies, meshRequestAuthentications } from '../../../api/biplane.dev/v1alpha1/mesh-request-policies.ts'
import {
  backendTLSPolicies,
  gatewayClasses,
  gateways,
  grpcRoutes,
  httpRoutes,
  listenerSets,
  referenceGrants,
  tcpRoutes,
  tlsRoutes,
} from '../../../api/gateway.networking.k8s.io/v1/index.ts'
import type { EndpointSlice, Namespace, Node, Pod, Secret, Service } from '../../../api/generated/types.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { meshHttpRoutes, meshObjects, meshPolicies, meshTcpRoutes } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { ingressClasses } from '../../../api/networking/v1/ingress-class.ts'
import { ingresses } from '../../../api/networking/v1/ingress.ts'
import type { InformerFactory, Lister } from '../../../client/cache.ts'
import type { GatewayObjects } from '../../../policy/traffic/gateway-api/index.ts'

const BY_SERVICE = 'meshService'
const BY_POD = 'meshPod'
const BY_NODE = 'meshNode'
const BY_ADDRESS = 'meshAddress'
const SERVICE_LABEL = 'kubernetes.io/service-name'

/** All objects that the mesh is compiled from. */
export interface MeshLists {
  readonly pods: Lister<Pod>
  readonly services: Lister<Service>
  readonly nodes: Lister<Node>
  readonly namespaces: Lister<Namespace>
  readonly secrets: Lister<Secret>
  slicesOf(service: Service): readonly EndpointSlice[]
  /** Slices with endpoints that are this pod (`namespace/name`), or on this node. */
  slicesWithPod(key: string): readonly EndpointSlice[]
  slicesOnNode(name: string): readonly EndpointSlice[]
  podsOnNode(name: string): readonly Pod[]
  /** Pods that have an address; those on the network of their node share it. */
  podsAt(address: string): readonly Pod[]
  gatewayObjects(): GatewayObjects
  /** Whether there is anything that makes a gateway or a route. */
  hasGatewayObjects(): boolean
  /** Of kuma.io, and the mesh's policies of biplane.dev. */
  meshObjects(): readonly KubeObject[]
}

/** Declares the informers; before they are started. @param onChange called after anything that matters has changed */
export function openMeshLists(
  informers: InformerFactory,
  onChange: (kind: string, next: KubeObject | undefined, previous: KubeObject | undefined) => void,
): MeshLists {
  const list = <T extends KubeObject>(kind: KindDefinition<T>): Lister<T> => {
    const informer = informers.informer(kind)
    informer.addHandler({
      add: (object) => onChange(kind.kind, object, undefined),
      update: (next, previous) => {
        if (next.metadata.resourceVersion !== previous.metadata.resourceVersion) onChange(kind.kind, next, previous)
      },
      delete: (object) => onChange(kind.kind, undefined, object),
    })
    return informer.lister
  }
  const sliceInformer = informers.informer(endpointSlices)
  sliceInformer.addIndex(BY_SERVICE, (slice) => {
    const service = serviceOfSlice(slice)
    return service === undefined ? [] : [service]
  })
  sliceInformer.addIndex(BY_POD, ({ metadata, endpoints = [] }) => [
    ...new Set(
      endpoints.flatMap(({ targetRef }) =>
        targetRef?.kind === 'Pod' ? [`${targetRef.namespace ?? metadata.namespace}/${targetRef.name}`] : [],
      ),
    ),
  ])
  sliceInformer.addIndex(BY_NODE, ({ endpoints = [] }) => [...new Set(endpoints.flatMap(({ nodeName }) => nodeName ?? []))])
  informers.informer(pods).addIndex(BY_NODE, ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []))
  informers.informer(pods).addIndex(BY_ADDRESS, ({ status }) => (status?.podIPs ?? []).map(({ ip }) => ip))
  const slices = list(endpointSlices)
  const gatewayLists = {
    gatewayClasses: list(gatewayClasses),
    gateways: list(gateways),
    listenerSets: list(listenerSets),
    httpRoutes: list(httpRoutes),
    grpcRoutes: list(grpcRoutes),
    tcpRoutes: list(tcpRoutes),
    tlsRoutes: list(tlsRoutes),
    referenceGrants: list(referenceGrants),
    backendTLSPolicies: list(backendTLSPolicies),
    ingresses: list(ingresses),
    ingressClasses: list(ingressClasses),
    services: list(services),
    namespaces: list(namespaces),
    secrets: list(secrets),
    configMaps: list(configMaps),
  }
  const kumaKinds = [...meshObjects, ...meshPolicies, meshHttpRoutes, meshTcpRoutes, meshRequestAuthentications, meshAuthorizationPolicies]
  const kumaLists = kumaKinds.map((kind) => list(kind as KindDefinition<KubeObject>))
  const podList = list(pods)
  const { gateways: gatewayList, httpRoutes: http, grpcRoutes: grpc, tcpRoutes: tcp, tlsRoutes: tls } = gatewayLists
  const makers = [gatewayList, http, grpc, tcp, tls, gatewayLists.backendTLSPolicies, gatewayLists.ingresses]
  return {
    pods: podList,
    services: gatewayLists.services,
    nodes: list(nodes),
    namespaces: gatewayLists.namespaces,
    secrets: gatewayLists.secrets,
    slicesOf: ({ metadata }) => slices.byIndex(BY_SERVICE, `${metadata.namespace}/${metadata.name}`),
    slicesWithPod: (key) => slices.byIndex(BY_POD, key),
    slicesOnNode: (name) => slices.byIndex(BY_NODE, name),
    podsOnNode: (name) => podList.byIndex(BY_NODE, name),
    podsAt: (address) => podList.byIndex(BY_ADDRESS, address),
    hasGatewayObjects: () => makers.some(({ size }) => size > 0),
    gatewayObjects: () =>
      Object.fromEntries(Object.entries(gatewayLists).map(([name, lister]) => [name, (lister.list() as KubeObject[]).filter(isAlive)])),
    meshObjects: () => kumaLists.flatMap((lister) => lister.list()).filter(isAlive),
  }
}

/** `namespace/name` of the service that a slice is of. */
export function serviceOfSlice({ metadata }: EndpointSlice): string | undefined {
  const name = metadata.labels?.[SERVICE_LABEL]
  return name === undefined ? undefined : `${metadata.namespace}/${name}`
}

const isAlive = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp === undefined
