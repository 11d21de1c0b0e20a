import type { Origin } from './resource.ts'

/** A MeshProxyPatch: changes of Envoy's own configuration, made last. Our own proxies and gRPC do not look at it. */
export interface ProxyPatch {
  readonly origin: Origin
  /** In their order. */
  readonly modifications: readonly ProxyPatchModification[]
}

export interface ProxyPatchModification {
  readonly target: 'cluster' | 'listener' | 'networkFilter' | 'httpFilter' | 'virtualHost'
  /** Clusters, listeners and virtual hosts: Add, Remove, Patch. Filters: AddFirst, AddBefore, AddAfter, AddLast, Remove, Patch. */
  readonly operation: 'Add' | 'AddFirst' | 'AddBefore' | 'AddAfter' | 'AddLast' | 'Remove' | 'Patch'
  /** Absent fields match all. */
  readonly match?: {
    readonly name?: string
    readonly origin?: string
    readonly listenerName?: string
    readonly routeConfigurationName?: string
  }
  /** What is added or merged: a message in the JSON form of protobuf, names in either spelling. */
  readonly value?: unknown
  /** RFC 6902, on the resource, filter or virtual host. */
  readonly jsonPatches?: readonly { readonly op: string; readonly path: string; readonly from?: string; readonly value?: unknown }[]
}
