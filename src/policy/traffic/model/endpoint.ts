import type { SocketAddress } from './listener.ts'

/** The endpoints of one cluster. */
export interface ClusterLoadAssignment {
  /** What `discovery.name` of clusters refers to. */
  readonly name: string
  readonly endpoints: readonly Endpoint[]
}

export interface Endpoint {
  readonly address: SocketAddress
  /** Default 1. */
  readonly weight?: number
  /** 0 is used first, larger ones when those are not healthy. Default 0. */
  readonly priority?: number
  /** `draining`: takes no new requests, those that run go on. */
  readonly state: 'ready' | 'draining' | 'unhealthy'
  /** SPIFFE ID of what listens there; present: it takes mutual TLS of the mesh. */
  readonly identity?: string
  /** Where its sidecar takes TLS of the mesh by server name; absent: at `address`, by interception or by itself. */
  readonly meshPort?: number
  readonly zone?: string
  readonly node?: string
  /** Labels that locality and session rules ask for. */
  readonly labels?: Readonly<Record<string, string>>
  /** `namespace/name` of the pod. */
  readonly pod?: string
}
