import type { HeaderModifier, HttpFilter } from './filter.ts'
import type { HeaderMatch, RouteMatch } from './match.ts'
import type { Origin } from './resource.ts'

export interface RouteConfiguration {
  readonly name: string
  /** The host of a request picks one: exact name, then the longest `*.suffix`, then `*`. Ports in the host are ignored. None: 404. */
  readonly virtualHosts: readonly VirtualHost[]
}

export interface VirtualHost {
  readonly name: string
  /** Lower-case, without port. Each at most once in a RouteConfiguration. */
  readonly domains: readonly string[]
  /** In the order in which they are tried (already sorted by the specificity that the API promises). None matches: 404. */
  readonly routes: readonly Route[]
}

export interface Route {
  /** For metrics, logs and explanations: `namespace/name/rule`. */
  readonly name: string
  readonly origin?: Origin
  readonly match: RouteMatch
  readonly action: RouteAction
  readonly requestHeaders?: HeaderModifier
  readonly responseHeaders?: HeaderModifier
  /** Instead of the chain's filters of the same names and types. */
  readonly filters?: readonly HttpFilter[]
}

export type RouteAction = ForwardAction | RedirectAction | DirectResponse

export interface ForwardAction {
  readonly type: 'forward'
  /** Weights add up to more than 0. */
  readonly clusters: readonly WeightedCluster[]
  readonly rewrite?: Rewrite
  /** Until the response has ended. 0: none. Default 15,000. */
  readonly timeoutMs?: number
  /** For one stream; default: the chain's. */
  readonly idleTimeoutMs?: number
  readonly maxStreamDurationMs?: number
  readonly retry?: RetryPolicy
  readonly mirrors?: readonly Mirror[]
  /** What a ring hash or Maglev cluster hashes; the first that gives a value and is `terminal` ends it. */
  readonly hash?: readonly HashPolicy[]
  /** Switching to another protocol (WebSocket) is allowed. Default true. */
  readonly upgrades?: boolean
  /** Session persistence by a cookie or header that names the endpoint. */
  readonly session?: { readonly type: 'cookie' | 'header'; readonly name: string; readonly ttlMs?: number }
}

export interface WeightedCluster {
  /** Name of a Cluster. A name of `INVALID_CLUSTER` stands for a backend that does not exist: 500. */
  readonly cluster: string
  readonly weight: number
  readonly requestHeaders?: HeaderModifier
  readonly responseHeaders?: HeaderModifier
}

/** Takes the share of traffic of a reference that is broken or forbidden, and answers 500. */
export const INVALID_CLUSTER = '!invalid'

export interface Rewrite {
  readonly host?: string
  /** `full` replaces the path without its query; `prefix` what the match's `pathPrefix` or `prefix` matched. */
  readonly path?: { readonly type: 'full' | 'prefix'; readonly value: string }
}

export interface RedirectAction {
  readonly type: 'redirect'
  readonly scheme?: 'http' | 'https'
  readonly host?: string
  readonly port?: number
  readonly path?: { readonly type: 'full' | 'prefix'; readonly value: string }
  readonly status: 301 | 302 | 303 | 307 | 308
}

export interface DirectResponse {
  readonly type: 'direct'
  readonly status: number
  readonly body?: string
}

export interface Mirror {
  readonly cluster: string
  /** 0 to 100. */
  readonly percentage: number
}

export type RetryOn =
  | '5xx'
  | 'gateway-error'
  | 'reset'
  | 'connect-failure'
  | 'retriable-4xx'
  | 'refused-stream'
  | 'retriable-headers'
  | 'retriable-status-codes'
  | 'grpc-cancelled'
  | 'grpc-deadline-exceeded'
  | 'grpc-internal'
  | 'grpc-resource-exhausted'
  | 'grpc-unavailable'

export interface RetryPolicy {
  readonly on: readonly RetryOn[]
  readonly statusCodes?: readonly number[]
  /** Retries after the first try. 1 to 100. */
  readonly attempts: number
  /** Only for these methods; absent: all. */
  readonly methods?: readonly string[]
  readonly perTryTimeoutMs?: number
  readonly backOff: { readonly baseMs: number; readonly maxMs: number }
  /** A response header that says how long to wait (`retry-after`, `x-ratelimit-reset`): seconds or a Unix time. */
  readonly rateLimitedBackOff?: {
    readonly headers: readonly { readonly name: string; readonly format: 'seconds' | 'unix' }[]
    readonly maxMs: number
  }
  readonly retriableRequestHeaders?: readonly HeaderMatch[]
  readonly retriableResponseHeaders?: readonly HeaderMatch[]
  /** Tries for another endpoint before one that was tried is taken again. Default 5. */
  readonly hostSelectionAttempts?: number
  /** Retries may be this share of the active requests, but never fewer than `minConcurrent`. Absent: the cluster's maxRetries alone. */
  readonly budget?: { readonly percent: number; readonly minConcurrent: number }
}

export type HashPolicy = { readonly terminal?: boolean } & (
  | { readonly type: 'header'; readonly name: string }
  | { readonly type: 'cookie'; readonly name: string; readonly ttlMs?: number; readonly path?: string }
  | { readonly type: 'query'; readonly name: string }
  | { readonly type: 'sourceIp' }
)
