import type { Cluster } from './cluster.ts'
import type { ClusterLoadAssignment } from './endpoint.ts'
import type { Listener } from './listener.ts'
import type { ProxySettings } from './proxy.ts'
import type { RouteConfiguration } from './route.ts'
import type { Secret } from './secret.ts'

/** One resource of the intermediate form by its type. */
export interface ResourceOfType {
  readonly proxy: ProxySettings
  readonly listener: Listener
  readonly route: RouteConfiguration
  readonly cluster: Cluster
  readonly endpoints: ClusterLoadAssignment
  readonly secret: Secret
}

export type ResourceType = keyof ResourceOfType
export type Resource = ResourceOfType[ResourceType]

/** Type URLs under which our own proxies subscribe; the value of each resource is its JSON in UTF-8. */
export const TYPE_URL: Readonly<Record<ResourceType, string>> = {
  proxy: 'type.biplane.dev/mesh.v1.Proxy',
  listener: 'type.biplane.dev/mesh.v1.Listener',
  route: 'type.biplane.dev/mesh.v1.RouteConfiguration',
  cluster: 'type.biplane.dev/mesh.v1.Cluster',
  endpoints: 'type.biplane.dev/mesh.v1.ClusterLoadAssignment',
  secret: 'type.biplane.dev/mesh.v1.Secret',
}

/** In the order in which additions are sent: what is referred to comes first. Deletions go the other way round. */
export const RESOURCE_ORDER: readonly ResourceType[] = ['secret', 'cluster', 'endpoints', 'route', 'listener', 'proxy']

/** An object of the API that a part of the configuration comes from: whom to blame, and whom to tell. */
export interface Origin {
  /** Such as `HTTPRoute`. */
  readonly kind: string
  /** Such as `gateway.networking.k8s.io`. */
  readonly group: string
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  readonly uid?: string
  readonly generation?: number
  /** Milliseconds since 1970; conflicts go to the older. */
  readonly createdAtMs?: number
}

/** `Kind/namespace/name`, how logs, metrics and reasons name an object. */
export function originName({ kind, namespace, name }: Origin): string {
  return namespace === '' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`
}
