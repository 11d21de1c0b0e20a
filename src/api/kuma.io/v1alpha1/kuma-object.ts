import type { Condition } from '../../generated/types.ts'
import type { KubeObject } from '../../meta/object.ts'

/** Settings as they stand in an object: their fields are described, and checked, by the schema of their kind. */
export type KumaConf = { readonly [field: string]: unknown }

/** What a policy is about. MeshSubset and MeshServiceSubset with tags are Kuma 2's. */
export interface KumaTargetRef {
  kind: string
  name?: string | undefined
  namespace?: string | undefined
  labels?: { [label: string]: string } | undefined
  tags?: { [tag: string]: string } | undefined
  sectionName?: string | undefined
  proxyTypes?: ('Sidecar' | 'Gateway')[] | undefined
  mesh?: string | undefined
  group?: string | undefined
  port?: number | undefined
}

export interface KumaCallerMatch {
  spiffeID?: { type: 'Exact' | 'Prefix'; value: string } | undefined
  sni?: { type: 'Exact'; value: string } | undefined
}

/** The frame of all policies; each kind has some of the four parts. */
export interface KumaPolicySpec {
  targetRef?: KumaTargetRef | undefined
  to?:
    | { targetRef: KumaTargetRef; default?: KumaConf | undefined; hostnames?: string[] | undefined; rules?: unknown[] | undefined }[]
    | undefined
  rules?: { matches?: KumaCallerMatch[] | undefined; default?: KumaConf | undefined }[] | undefined
  /** Kuma 2. */
  from?: { targetRef: KumaTargetRef; default?: KumaConf | undefined }[] | undefined
  default?: KumaConf | undefined
}

export interface KumaStatus {
  conditions?: Condition[] | undefined
  [field: string]: unknown
}

export interface KumaPolicy extends KubeObject {
  spec?: KumaPolicySpec | undefined
  status?: KumaStatus | undefined
}

/** Any other kind of the group. */
export interface KumaObject extends KubeObject {
  mesh?: string | undefined
  spec?: KumaConf | undefined
  status?: KumaStatus | undefined
}
