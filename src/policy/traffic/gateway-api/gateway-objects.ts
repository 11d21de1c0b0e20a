import type { KubeObject } from '../../../api/meta/object.ts'
import type { ConfigMap, Ingress, IngressClass, Namespace, Secret, Service } from '../../../api/generated/types.ts'
import type { BackendTLSPolicy } from '../../../api/gateway.networking.k8s.io/v1/backend-tls-policy.ts'
import type { GatewayClass } from '../../../api/gateway.networking.k8s.io/v1/gateway-class.ts'
import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import type { GRPCRoute } from '../../../api/gateway.networking.k8s.io/v1/grpc-route.ts'
import type { HTTPRoute } from '../../../api/gateway.networking.k8s.io/v1/http-route.ts'
import type { ListenerSet } from '../../../api/gateway.networking.k8s.io/v1/listener-set.ts'
import type { OpaqueRoute } from '../../../api/gateway.networking.k8s.io/v1/opaque-routes.ts'
import type { ReferenceGrant } from '../../../api/gateway.networking.k8s.io/v1/reference-grant.ts'
import type { Origin } from '../model/index.ts'

/** Who we are in `spec.controllerName` of classes and in statuses. */
export const GATEWAY_CONTROLLER = 'biplane.dev/gateway-controller'
/** `spec.controller` of IngressClasses that are ours. */
export const INGRESS_CONTROLLER = 'biplane.dev/ingress-controller'
/** Name of our classes, of gateways and of Ingresses. */
export const GATEWAY_CLASS = 'biplane'
/** The gateway that all Ingresses share. */
export const INGRESS_GATEWAY = { namespace: 'biplane-system', name: 'ingress' } as const

/** Everything of the cluster that gateways, routes and their statuses depend on. Absent lists are empty. */
export interface GatewayObjects {
  readonly gatewayClasses?: readonly GatewayClass[]
  readonly gateways?: readonly Gateway[]
  readonly listenerSets?: readonly ListenerSet[]
  readonly httpRoutes?: readonly HTTPRoute[]
  readonly grpcRoutes?: readonly GRPCRoute[]
  readonly tcpRoutes?: readonly OpaqueRoute[]
  readonly tlsRoutes?: readonly OpaqueRoute[]
  readonly referenceGrants?: readonly ReferenceGrant[]
  readonly backendTLSPolicies?: readonly BackendTLSPolicy[]
  readonly ingresses?: readonly Ingress[]
  readonly ingressClasses?: readonly IngressClass[]
  readonly services?: readonly Service[]
  readonly namespaces?: readonly Namespace[]
  readonly secrets?: readonly Secret[]
  readonly configMaps?: readonly ConfigMap[]
}

/** Why something is not as asked for; the reason is CamelCase, as conditions have it. */
export interface Problem {
  readonly reason: string
  readonly message: string
}

/** Whom to blame and whom to tell. */
export function originOf(kind: string, group: string, { metadata }: KubeObject): Origin {
  const created = Date.parse(metadata.creationTimestamp ?? '')
  return {
    kind,
    group,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    ...(metadata.generation === undefined ? {} : { generation: metadata.generation }),
    ...(Number.isNaN(created) ? {} : { createdAtMs: created }),
  }
}

/** Oldest first, then by namespace and name: who wins a conflict. Source: Gateway API, conflict resolution. */
export function compareOrigins(a: Origin, b: Origin): number {
  const age = (a.createdAtMs ?? 0) - (b.createdAtMs ?? 0)
  return age || compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`)
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
