import type { KubeObject } from '../../../api/meta/object.ts'
import type { Finding, GatewayListener, MeshServiceView, MeshSettings, ProxyView, TrafficPolicy, TrafficRoute } from '../input/index.ts'
import type { Origin, Secret } from '../model/index.ts'

/** All that the translation looks at. */
export interface KumaInput {
  /** Objects of kuma.io and the mesh's policies of biplane.dev; others are passed over. */
  readonly objects: readonly KubeObject[]
  /** Services of the cluster, by `serviceKey`. */
  readonly services: ReadonlyMap<string, MeshServiceView>
  /** Proxies that are known: callers by labels are looked for among them. */
  readonly proxies: readonly ProxyView[]
  /** What holds where no Mesh and no MeshIdentity says otherwise. */
  readonly mesh: MeshSettings
  /** Policies in it are for all namespaces. */
  readonly systemNamespace: string
  /** Name of the zone. Default `default`. */
  readonly zone?: string
  /** Keys of a Secret, decoded; undefined: not there. */
  readonly secret?: (namespace: string, name: string) => Readonly<Record<string, string>> | undefined
}

export interface KumaResult {
  readonly mesh: MeshSettings
  readonly policies: readonly TrafficPolicy[]
  readonly routes: readonly TrafficRoute[]
  /** Besides those of the cluster, by `serviceKey`; those of the cluster that got host names or ports are among them, whole. */
  readonly services: ReadonlyMap<string, MeshServiceView>
  readonly gateways: readonly GatewayListener[]
  readonly secrets: ReadonlyMap<string, Secret>
  /** By trust domain. */
  readonly trust: Readonly<Record<string, readonly string[]>>
  /** Kinds of policies that the mesh does not want made for it; `*`: none at all. */
  readonly skippedDefaults: readonly string[]
  readonly findings: readonly Finding[]
}

/** Whom a part comes from. */
export function originOf({ apiVersion = '', kind = '', metadata }: KubeObject): Origin {
  const { namespace = '', name, uid, generation, creationTimestamp } = metadata
  const createdAtMs = Date.parse(String(creationTimestamp))
  return {
    kind,
    group: apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '',
    namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(Number.isNaN(createdAtMs) ? {} : { createdAtMs }),
  }
}
