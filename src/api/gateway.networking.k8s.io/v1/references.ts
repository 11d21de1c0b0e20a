import type { Condition, LabelSelector } from '../../generated/types.ts'

export const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/** What a route attaches to, or where a policy works: a Gateway, a ListenerSet or a Service. */
export interface ParentReference {
  /** Default gateway.networking.k8s.io; '' for Services. */
  group?: string | undefined
  /** Default Gateway. */
  kind?: string | undefined
  /** Default: the namespace of what refers. */
  namespace?: string | undefined
  name: string
  /** Name of a listener. */
  sectionName?: string | undefined
  port?: number | undefined
}

export interface BackendObjectReference {
  /** Default '' (core). */
  group?: string | undefined
  /** Default Service. */
  kind?: string | undefined
  name: string
  namespace?: string | undefined
  /** Needed for Services. */
  port?: number | undefined
}

export interface BackendReference extends BackendObjectReference {
  /** Default 1; 0 gets nothing. */
  weight?: number | undefined
}

export interface LocalObjectReference {
  group: string
  kind: string
  name: string
}

export interface ObjectReference extends LocalObjectReference {
  namespace?: string | undefined
}

export interface SecretObjectReference {
  /** Default '' (core). */
  group?: string | undefined
  /** Default Secret. */
  kind?: string | undefined
  name: string
  namespace?: string | undefined
}

export interface FromNamespaces {
  from?: 'All' | 'Selector' | 'Same' | 'None' | undefined
  selector?: LabelSelector | undefined
}

export interface RouteGroupKind {
  /** Default gateway.networking.k8s.io. */
  group?: string | undefined
  kind: string
}

export interface RouteParentStatus {
  parentRef: ParentReference
  controllerName: string
  conditions: Condition[]
}

export interface RouteStatus {
  parents: RouteParentStatus[]
}

export interface RouteCommonSpec {
  parentRefs?: ParentReference[] | undefined
  useDefaultGateways?: 'All' | 'None' | undefined
}
