import type { Cluster, Endpoint, Origin, Protocol, Secret } from '../model/index.ts'
import type { TrafficPolicy } from './policy.ts'
import type { GatewayListener, TrafficRoute } from './route.ts'

/** All that the compiler looks at: plain values, made from objects of the API by `translate...` functions. Nothing else influences a proxy's configuration. */
export interface MeshWorld {
  readonly mesh: MeshSettings
  /** By `serviceKey`. */
  readonly services: ReadonlyMap<string, MeshServiceView>
  readonly routes: readonly TrafficRoute[]
  readonly policies: readonly TrafficPolicy[]
  readonly gateways: readonly GatewayListener[]
  /** For gateways and servers outside of the mesh, by name. */
  readonly secrets: ReadonlyMap<string, Secret>
  /** CA certificates in PEM by trust domain. */
  readonly trust: Readonly<Record<string, readonly string[]>>
}

export interface MeshSettings {
  /** Identities are given out and mutual TLS is spoken where both sides can. */
  readonly mtls: boolean
  /** Of the mesh's own identities, such as `default.mesh.local`. */
  readonly trustDomain: string
  /** Changes with the signing CA. */
  readonly issuer: string
  /** What a plaintext caller gets where no MeshTLS says otherwise. */
  readonly defaultMode: 'permissive' | 'strict'
  /** Without any permission a call is refused (Kuma's rule as soon as mutual TLS is on) or allowed. */
  readonly defaultPermission: 'allow' | 'deny'
  /** Domain of the cluster, such as `cluster.local`. */
  readonly domain: string
  /** gRPC inside of applications is among the proxies. */
  readonly proxyless?: boolean
}

export const serviceKey = (namespace: string, name: string): string => `${namespace}/${name}`

/** A service as the mesh sees it: a Service of the cluster, a MeshExternalService or a MeshMultiZoneService. */
export interface MeshServiceView {
  readonly kind: 'Service' | 'MeshExternalService' | 'MeshMultiZoneService'
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Addresses that clients dial; empty for headless services. */
  readonly vips: readonly string[]
  /** Clients dial the endpoints themselves. */
  readonly headless: boolean
  /** Names besides `name`, `name.ns`, `name.ns.svc` and `name.ns.svc.<domain>`. */
  readonly hostnames: readonly string[]
  readonly ports: readonly ServicePortView[]
  /** For a MeshExternalService: how its servers are reached. */
  readonly external?: Pick<Cluster, 'discovery' | 'tls'>
}

export interface ServicePortView {
  readonly port: number
  readonly name: string
  readonly protocol: Protocol
  /** Of the pods; may differ from pod to pod where it is named: then the endpoints say so. */
  readonly targetPort: number | string
  readonly endpoints: readonly Endpoint[]
}

/** A proxy that wants configuration. */
export interface ProxyView {
  /** `proxyName(...)`. */
  readonly name: string
  readonly kind: 'sidecar' | 'gateway' | 'node'
  /** Who executes it: our own, Envoy, or gRPC inside the application. */
  readonly dataPlane: 'biplane' | 'envoy' | 'grpc'
  readonly namespace: string
  readonly pod: string
  readonly labels: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly node: string
  readonly zone?: string
  /** Primary first. */
  readonly ips: readonly string[]
  /** Ports of the application: of its containers and of the services that select it. */
  readonly ports: readonly InboundPortView[]
  /** Present for kind `gateway`: `namespace/name` of the Gateway. */
  readonly gateway?: string
  readonly draining: boolean
  /** Services that it wants to reach; absent: all. */
  readonly reachable?: readonly string[]
}

export interface InboundPortView {
  readonly port: number
  readonly name: string
  readonly protocol: Protocol
  /** Services through which it is reached. */
  readonly services: readonly { readonly namespace: string; readonly name: string; readonly port: number }[]
}

/** Something about an object that its author should know. */
export interface Finding {
  readonly origin: Origin
  /** `Conflicted`: a part lost against an older object. `Shadowed`: a part can never match. `Invalid`: left out. `Deprecated`: works, write it differently. */
  readonly type: 'Conflicted' | 'Shadowed' | 'Invalid' | 'Deprecated'
  /** CamelCase, for conditions. */
  readonly reason: string
  readonly message: string
}
