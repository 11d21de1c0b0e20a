export type ServiceProtocol = 'TCP' | 'UDP' | 'SCTP'

/** Where an address comes from. Of two services that claim one address and port, the earlier kind wins, then the name. */
export type FrontendKind = 'ClusterIP' | 'LoadBalancer' | 'ExternalIP' | 'NodePort'

/** The node for which a table is compiled. */
export interface ServiceNode {
  readonly name: string
  /** Where node ports are served; both families. */
  readonly addresses: readonly string[]
  /** Label `topology.kubernetes.io/zone`. */
  readonly zone?: string
  /** Prefixes of the pods of this node: their traffic is inside, whatever the external traffic policy says. */
  readonly podRanges?: readonly string[]
  /** Prefixes of service addresses: what no service claims there is rejected. */
  readonly serviceRanges?: readonly string[]
}

export interface ServiceBackend {
  readonly address: string
  readonly port: number
}

/** Who may be chosen, and by which rule. */
export interface EndpointSet {
  /** Sorted by text, without doubles. */
  readonly backends: readonly ServiceBackend[]
  /** One phrase, such as `3 ready endpoints hinted for zone a`. */
  readonly why: string
  /** When there is nobody: reject (no endpoint anywhere) or drop (the policy is Local and none is here). */
  readonly empty?: 'reject' | 'drop'
}

/** One address, protocol and port that is served. */
export interface Frontend {
  /** Identity: see `frontendKey`. */
  readonly key: string
  readonly family: 4 | 6
  readonly address: string
  readonly protocol: ServiceProtocol
  readonly port: number
  readonly kind: FrontendKind
  /** `namespace/name` and, where the port is named, `:port`. */
  readonly service: string
  readonly policy: 'Cluster' | 'Local'
  /** For pods of this node and the node itself. */
  readonly inside: EndpointSet
  /** For everyone else; the same object as `inside` where there is no difference. */
  readonly outside: EndpointSet
  /** Keep a client on its backend for this long after its last connection. */
  readonly affinitySeconds?: number
  /** Senders may only come from here; absent: from anywhere. */
  readonly sourceRanges?: readonly string[]
  /** The backend sees the sender's address: external traffic of policy Local. */
  readonly keepsSource: boolean
}

/** A port on the node's addresses that tells load balancers whether endpoints are here. */
export interface HealthCheck {
  readonly namespace: string
  readonly name: string
  readonly port: number
  readonly localEndpoints: number
}

/** What a node does with packets to services. Read only; a builder keeps it up to date in place. */
export interface ServiceTable {
  readonly node: ServiceNode
  /** The newest state of the store that went into it. */
  readonly revision: bigint
  readonly frontends: ReadonlyMap<string, Frontend>
  /** By `namespace/name`. */
  readonly healthChecks: ReadonlyMap<string, HealthCheck>
  /** Frontends that another service owns: key, who wants it, who has it. */
  readonly conflicts: readonly { readonly key: string; readonly loser: string; readonly winner: string }[]
  /** Services of which no endpoint is on this node although a Local policy wants one. */
  readonly withoutLocal: { readonly internal: number; readonly external: number }
}

/** `TCP/10.96.0.1:80` or `UDP/[fd00::1]:53`. */
export function frontendKey(protocol: string, address: string, port: number): string {
  return address.includes(':') ? `${protocol}/[${address}]:${port}` : `${protocol}/${address}:${port}`
}
