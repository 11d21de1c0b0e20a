import type { StringMatch } from './match.ts'

/** Tokens that come back at a steady pace; the bucket starts full. */
export interface TokenBucket {
  /** Also the size of a burst. */
  readonly maxTokens: number
  readonly tokensPerFill: number
  readonly fillIntervalMs: number
}

/**
 * Who may do what. Order of judgement: a `deny` rule that matches refuses; an `allow` rule that matches lets pass; else `otherwise`. A `shadowDeny` rule
 * decides nothing: what passes although it matches is told in logs and metrics as what it would have refused. Whoever is to pass by it alone stands in
 * `allow`, too.
 */
export interface Rbac {
  readonly deny: readonly RbacRule[]
  readonly shadowDeny: readonly RbacRule[]
  readonly allow: readonly RbacRule[]
  readonly otherwise: 'allow' | 'deny'
  /** Judged, counted and logged, but never enforced: a dry run. */
  readonly dryRun?: boolean
}

export interface RbacRule {
  /** Name of the policy, and of the rule in it where there are several: shown in denials. */
  readonly name: string
  /** One must match; empty: everybody, with an identity or without. */
  readonly principals: readonly Principal[]
  /** One must match; empty: everything. Rules with HTTP conditions never match a connection that is not HTTP. */
  readonly requests: readonly RequestMatch[]
}

/** All given fields must match. `{}` matches everybody. */
export interface Principal {
  /** Of the peer's certificate. */
  readonly spiffeId?: StringMatch
  /** Has shown any identity of the mesh. */
  readonly authenticated?: true
  /** CIDRs; of the connection's other end. */
  readonly sourceIps?: readonly string[]
  readonly notSourceIps?: readonly string[]
  /** Server name the client asked for. */
  readonly serverName?: StringMatch
  /** Claims of a verified JWT: path such as `realm_access.roles`; matches if the claim, or an element of it, does. */
  readonly claims?: readonly { readonly name: string; readonly value: StringMatch; readonly invert?: boolean }[]
  readonly notSpiffeId?: StringMatch
}

export interface RequestMatch {
  readonly methods?: readonly string[]
  readonly notMethods?: readonly string[]
  /** Of the path without its query, normalised. */
  readonly paths?: readonly StringMatch[]
  readonly notPaths?: readonly StringMatch[]
  readonly hosts?: readonly StringMatch[]
  readonly notHosts?: readonly StringMatch[]
  readonly ports?: readonly number[]
  readonly headers?: readonly { readonly name: string; readonly value: StringMatch; readonly invert?: boolean }[]
}

export interface JwtProvider {
  readonly name: string
  readonly issuer: string
  /** Empty: any. */
  readonly audiences: readonly string[]
  /** Key set in JSON (RFC 7517). */
  readonly jwks?: string
  /** Where to get it: fetched through `cluster`. */
  readonly remoteJwks?: { readonly uri: string; readonly cluster: string; readonly timeoutMs: number; readonly cacheMs: number }
  /** Where the token is looked for; default `authorization: Bearer`. */
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[]
  readonly fromParams?: readonly string[]
  /** The token goes on to the application. */
  readonly forward: boolean
  readonly claimsToHeaders?: readonly { readonly claim: string; readonly header: string }[]
}

interface Named {
  /** Unique in its chain; routes override by it. */
  readonly name: string
}

export interface RbacFilter extends Named {
  readonly type: 'rbac'
  readonly rbac: Rbac
}

/** Verifies tokens that are there; `required` refuses requests without one (401). */
export interface JwtFilter extends Named {
  readonly type: 'jwt'
  readonly providers: readonly JwtProvider[]
  readonly required: boolean
}

export interface ExtAuthzFilter extends Named {
  readonly type: 'extAuthz'
  readonly protocol: 'grpc' | 'http'
  readonly cluster: string
  /** Put before the path of the request, protocol `http`. */
  readonly pathPrefix?: string
  /** Default 200. */
  readonly timeoutMs?: number
  /** What happens when the authority cannot be asked. Default false: 403 (UAEX). */
  readonly failOpen?: boolean
  /** Headers of the request that the authority sees besides method, path, host and authorization. Lower-case. */
  readonly includeHeaders?: readonly string[]
  /** Headers of its answer that go on to the application. */
  readonly upstreamHeaders?: readonly string[]
  /** Bytes of the body that it sees. Default 0. */
  readonly maxBodyBytes?: number
}

export interface RateLimitFilter extends Named {
  readonly type: 'rateLimit'
  /** Absent: switched off. */
  readonly bucket?: TokenBucket
  /** Default 429. */
  readonly status?: number
  readonly responseHeaders?: readonly HeaderValue[]
  /** Only for these callers; absent: all. */
  readonly principals?: readonly Principal[]
  /** Not for these, whatever `principals` says. */
  readonly notPrincipals?: readonly Principal[]
}

export interface FaultFilter extends Named {
  readonly type: 'fault'
  /** Drawn for each request, each on its own; percentages 0 to 100 with fractions. */
  readonly faults: readonly Fault[]
}

export interface Fault {
  /** Only for these callers; absent: all. */
  readonly principals?: readonly Principal[]
  /** Not for these, whatever `principals` says. */
  readonly notPrincipals?: readonly Principal[]
  readonly abort?: { readonly status: number; readonly percentage: number }
  readonly delay?: { readonly ms: number; readonly percentage: number }
  /** Bytes per second of the response. */
  readonly responseBandwidth?: { readonly bytesPerSecond: number; readonly percentage: number }
}

/** gRPC methods as JSON over HTTP (google.api.http). */
export interface GrpcJsonFilter extends Named {
  readonly type: 'grpcJson'
  /** FileDescriptorSet in base64. */
  readonly descriptors: string
  readonly services: readonly string[]
  /** Requests that map to no method go on as they are. Default true. */
  readonly passUnknown?: boolean
}

export interface CorsFilter extends Named {
  readonly type: 'cors'
  readonly allowOrigins: readonly StringMatch[]
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAgeS?: number
}

export type HttpFilter = RbacFilter | JwtFilter | ExtAuthzFilter | RateLimitFilter | FaultFilter | GrpcJsonFilter | CorsFilter

export interface HeaderValue {
  /** Lower-case. */
  readonly name: string
  readonly value: string
}

/** Applied in this order. Names are lower-case. */
export interface HeaderModifier {
  readonly remove?: readonly string[]
  readonly set?: readonly HeaderValue[]
  readonly add?: readonly HeaderValue[]
}
