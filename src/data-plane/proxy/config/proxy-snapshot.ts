import type {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  ProxySettings,
  RouteConfiguration,
  Secret,
} from '../../../policy/traffic/model/index.ts'

/** What a proxy executes: whole and consistent, everything that a listener refers to is there. Immutable; parts that have not changed are the same objects. */
export interface ProxySnapshot {
  /** Absent until the control plane, or the disk, has told them. */
  readonly settings: ProxySettings | undefined
  readonly listeners: ReadonlyMap<string, Listener>
  readonly routes: ReadonlyMap<string, RouteConfiguration>
  readonly clusters: ReadonlyMap<string, Cluster>
  /** By the name that clusters refer to. */
  readonly endpoints: ReadonlyMap<string, ClusterLoadAssignment>
  readonly secrets: ReadonlyMap<string, Secret>
}

export const EMPTY_SNAPSHOT: ProxySnapshot = {
  settings: undefined,
  listeners: new Map(),
  routes: new Map(),
  clusters: new Map(),
  endpoints: new Map(),
  secrets: new Map(),
}
