/**
 * What the control plane tells of the mesh, below `/mesh/v1/` of the API server, as JSON:
 *
 *   GET  /mesh/v1/proxies                      ProxiesAnswer
 *   GET  /mesh/v1/proxies/<name>/config        ConfigAnswer; ?type=<type> (repeatable) narrows it
 *   GET  /mesh/v1/explain?from=&to=            ExplainAnswer; from: namespace/pod, to: namespace/service:port; &method=&path=&header=name:value
 *   GET  /mesh/v1/strict                       StrictAnswer
 *   GET  /mesh/v1/policies                     PoliciesAnswer
 *   POST /mesh/v1/dry-run                      DryRunAnswer; body: one object of a policy kind
 *
 * A refusal is a Status as everywhere.
 */
export const MESH_VIEW_PATH = '/mesh/v1'

export interface ProxiesAnswer {
  readonly proxies: readonly ProxyStatusView[]
}

export interface ProxyStatusView {
  /** `pod.namespace`. */
  readonly name: string
  readonly namespace: string
  readonly pod: string
  readonly node: string
  readonly kind: string
  readonly dataPlane: string
  readonly connected: boolean
  /** RFC 3339, of the connection of now or the last one. */
  readonly since?: string
  /** Of sidecars: `kernel` where nothing gets past it to its application, `proxy` where plain text that does not come to it does, strict or not. */
  readonly strictBy?: 'kernel' | 'proxy'
  readonly types: readonly TypeStatusView[]
}

export interface TypeStatusView {
  /** `listener`, `route`, `cluster`, `endpoints`, ... */
  readonly type: string
  readonly resources: number
  /** Version in force. */
  readonly acked?: string
  /** Sent, not yet confirmed. */
  readonly pending?: string
  readonly refused?: { readonly reason: string; readonly at: string }
}

export interface ConfigAnswer {
  readonly name: string
  /** Resources by type and name, as the proxy was told; keys are left out. */
  readonly resources: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface ExplainAnswer {
  readonly steps: readonly ExplainStep[]
  readonly verdict: 'allowed' | 'denied' | 'failed'
}

export interface ExplainStep {
  /** `identity`, `permission`, `route`, `cluster`, `endpoint`, `tls`. */
  readonly step: string
  readonly verdict: 'ok' | 'denied' | 'failed'
  readonly message: string
  /** Object that decided, as `Kind/namespace/name`. */
  readonly origin?: string
}

/**
 * What an answer about calls rests on: those that proxies have seen, or, where none has told of any, those that could be made as things are configured. The
 * latter have a count of 0.
 */
export type AnswerBasis = 'traffic' | 'configuration'

export interface StrictAnswer {
  readonly safe: boolean
  readonly basis?: AnswerBasis
  /** What the answer does not know. */
  readonly note?: string
  /** Callers that speak plaintext to meshed workloads. */
  readonly plaintext: readonly { readonly from: string; readonly to: string; readonly count: number; readonly lastSeen: string }[]
}

export interface PoliciesAnswer {
  readonly policies: readonly PolicyStatusView[]
}

export interface PolicyStatusView {
  /** `Kind/namespace/name`. */
  readonly policy: string
  /** Proxies it concerns, and those that have it in force. */
  readonly proxies: number
  readonly programmed: number
  readonly refused: readonly { readonly proxy: string; readonly reason: string }[]
  readonly findings: readonly { readonly type: string; readonly reason: string; readonly message: string }[]
}

export interface DryRunAnswer {
  readonly changes: readonly {
    readonly from: string
    readonly to: string
    readonly request: string
    readonly count: number
    readonly now: 'allow' | 'deny'
    readonly then: 'allow' | 'deny'
    readonly because: string
  }[]
  /** How many different calls were looked at. */
  readonly observed: number
  readonly basis?: AnswerBasis
  /** What the answer does not know. */
  readonly note?: string
}
