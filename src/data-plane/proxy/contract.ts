import type { X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { SocketAddress } from '../../policy/traffic/model/index.ts'

/** What a request passes through: handles one exchange, at once or later. Never throws: what goes wrong becomes a response or an abort. */
export type Service = (exchange: Exchange) => void

/** Wraps a service. A stack is a list of layers, outermost first, one comment per line saying why it stands there. */
export type Layer = (inner: Service) => Service

/** Header fields of a message; names are lower-case. Reading is cheap; a change is noted and carried out when the head is written. */
export interface Headers {
  /** Value of the first field of this name. */
  get(name: string): string | undefined
  /** All values, in order. */
  getAll(name: string): readonly string[]
  has(name: string): boolean
  /** Replaces all fields of this name. */
  set(name: string, value: string): void
  append(name: string, value: string): void
  remove(name: string): void
  forEach(visit: (name: string, value: string) => void): void
  /** Bytes of all fields as they came. */
  readonly sizeBytes: number
}

export interface RequestHead {
  method: string
  /** With the query, as it came. */
  path: string
  /** Host of the request with its port, from `host` or `:authority`. */
  authority: string
  scheme: string
  readonly headers: Headers
  readonly isGrpc: boolean
  /** Asks to switch protocols; the token of `upgrade` (RFC 9110 7.8) or `:protocol` (RFC 8441). */
  readonly upgrade?: string
  /** There is no body at all. */
  readonly endsWithHead: boolean
}

export interface ResponseHead {
  status: number
  readonly headers: Headers
  readonly endsWithHead: boolean
}

/** Envoy's response flags. Source: Envoy documentation, access log RESPONSE_FLAGS. */
export type ResponseFlag =
  | 'UH' // no healthy upstream
  | 'UF' // upstream connection failed
  | 'UO' // overflow: circuit breaker
  | 'NR' // no route
  | 'URX' // retries used up
  | 'NC' // no such cluster
  | 'DC' // downstream went away
  | 'LR' // reset here
  | 'UR' // reset by upstream
  | 'UC' // upstream closed the connection
  | 'UT' // upstream timed out
  | 'DI' // delay injected
  | 'FI' // abort injected
  | 'RL' // rate limited
  | 'UAEX' // denied by external authorization
  | 'SI' // stream idle timeout
  | 'DPE' // downstream protocol error
  | 'UPE' // upstream protocol error
  | 'UMSDR' // maximum stream duration
  | 'DT' // drain or connection duration
  | 'OM' // overload

/** An answer made here. Requests with content-type application/grpc get trailers-only responses with grpc-status instead of the HTTP status (gRPC's table). */
export interface LocalReply {
  readonly status: number
  readonly body?: string
  readonly headers?: readonly { readonly name: string; readonly value: string }[]
  readonly flag?: ResponseFlag
  /** `%RESPONSE_CODE_DETAILS%`, such as `rbac_access_denied_matched_policy[none]`. */
  readonly details: string
  /** Default: from the HTTP status. */
  readonly grpcStatus?: number
}

/** What is known of the client's connection. */
export interface Downstream {
  readonly remote: SocketAddress
  /** Of this end. */
  readonly local: SocketAddress
  /** Where the client was going, where the connection was intercepted. */
  readonly original?: SocketAddress
  readonly protocol: 'http1' | 'http2' | 'tcp'
  readonly tls?: DownstreamTlsInfo
  /** Ends it: HTTP/2 by GOAWAY, HTTP/1.1 after the response of now. */
  drain(): void
  /** Ends it at once. */
  destroy(): void
}

export interface DownstreamTlsInfo {
  /** SPIFFE ID of the verified peer certificate. */
  readonly peer?: string
  readonly serverName?: string
  readonly alpn?: string
  readonly version: string
  readonly cipher: string
  /** SHA-256 of the peer certificate, hex. */
  readonly peerHash?: string
}

/** Bytes on their way, changed. A transform may keep back and give out later; it never sees more than `chunk` at once. */
export interface BodyTransform {
  write(chunk: Uint8Array): Uint8Array | undefined
  end(): Uint8Array | undefined
}

/** Times are `performance.now()` milliseconds; sizes are bytes of bodies on the wire of that side. */
export interface ExchangeSummary {
  readonly startedMs: number
  readonly durationMs: number
  /** Undefined: none was sent. */
  readonly status?: number
  readonly grpcStatus?: number
  readonly bytesReceived: number
  readonly bytesSent: number
  readonly flags: ReadonlySet<ResponseFlag>
  readonly details: string
}

/**
 * One request and its response. Objects are reused by the engine: nobody keeps one after `onEnd`.
 * Exactly one of `respond`, `forward` (which leads to a response) and `abort` ends the way inwards.
 */
export interface Exchange {
  readonly connection: Downstream
  readonly request: RequestHead
  readonly startedMs: number
  /** Notes of layers for each other and for the access log; keys are symbols of `context.ts` of the layers. */
  readonly context: Map<symbol, unknown>
  /** What the stack of layers knows of this exchange, in one object: cheaper than the map. Set by the stack's first layer; the engine clears it on reuse. */
  layerState?: unknown
  readonly flags: Set<ResponseFlag>
  details: string

  respond(reply: LocalReply): void
  /** No response: HTTP/1.1 closes, HTTP/2 resets the stream. */
  abort(flag: ResponseFlag, details: string): void

  /**
   * Sends the request to an endpoint and the response back, with back-pressure, trailers and upgrades. May be called again after `onFailure`, or after
   * `onHead` answered `discard`, as long as `isReplayable`.
   */
  forward(attempt: Attempt): void
  /** The request was seen whole or can be held back whole so far (at most `replayLimitBytes`): it can be sent once more. */
  readonly isReplayable: boolean
  /** Bytes of the body kept for another try; 0, the default, keeps none. Set before the first `forward`. */
  replayLimitBytes: number

  /** Called with each response head on its way out, local replies too; the last added first. */
  onResponse(hook: (head: ResponseHead) => void): void
  /** Called once, at the very end, whatever happened. */
  onEnd(hook: (summary: ExchangeSummary) => void): void
  /** Called with each piece of the request body as it comes: mirrors, taps. The bytes are valid during the call alone. */
  observeRequestBody(observer: (chunk: Uint8Array, ended: boolean) => void): void
  transformRequestBody(transform: BodyTransform): void
  transformResponseBody(transform: BodyTransform): void
  /** Trailers of the response on their way out (gRPC's status). */
  onTrailers(hook: (trailers: Headers) => void): void
  /** The whole body, or undefined if it is longer, with what it begins with, `limitBytes` of it; until the answer comes nothing is forwarded. */
  bufferRequestBody(limitBytes: number, done: (body: Uint8Array | undefined, start?: Uint8Array) => void): void
  /** Bytes per second of the response; for injected faults. */
  limitResponseRate(bytesPerSecond: number): void
  /** Resets the stream if the response has not ended by then; replaces an earlier call of the same kind. 0 cancels. */
  setTimeout(kind: 'request' | 'response' | 'idle' | 'maxDuration', ms: number): void
}

/** One try to get a response. */
export interface Attempt {
  readonly endpoint: UpstreamEndpoint
  /** Until the response head has come; 0: none. */
  readonly perTryTimeoutMs: number
  /** The last word on headers for this try alone; the changes do not stay for the next one. */
  readonly prepare?: (head: RequestHead) => void
  /** The response head is there. `send`: it goes to the client. `discard`: the router has something better. */
  onHead(head: ResponseHead): 'send' | 'discard'
  /** Nothing of a response has gone to the client yet: the router may forward again or respond. After that point the engine ends the exchange itself. */
  onFailure(failure: UpstreamFailure): void
  /** Always the last call. `ok`: the response came whole. */
  onDone(outcome: { readonly ok: boolean; readonly grpcStatus?: number; readonly durationMs: number }): void
}

export interface UpstreamFailure {
  readonly kind: 'connect' | 'connectTimeout' | 'tls' | 'reset' | 'refusedStream' | 'closed' | 'perTryTimeout' | 'protocol' | 'overflow'
  readonly message: string
  /** Nothing of the request was written to the connection, or the peer said that it did nothing with it: always safe to repeat. */
  readonly unprocessed: boolean
}

/** What TLS to an upstream takes and asks for. */
export interface ClientTls {
  readonly serverName?: string
  readonly alpn: readonly string[]
  /** Made with `tls.createSecureContext`; shared by all connections of one identity. */
  readonly context: SecureContext
  /** Throws what is wrong with the peer's certificate; called after the chain was verified, if `verifyChain`. */
  readonly verify: (certificate: X509Certificate) => void
  readonly verifyChain: boolean
}

export interface UpstreamOptions {
  readonly address: SocketAddress | { readonly path: string }
  readonly protocol: 'http1' | 'http2' | 'alpn'
  readonly tls?: () => ClientTls
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnectionDurationMs?: number
  readonly maxRequestsPerConnection?: number
  /** Asked before a connection is made, a request waits for one; false: failure `overflow`. The cluster counts over all of its endpoints. */
  readonly admit: UpstreamAdmission
}

export interface UpstreamAdmission {
  connectionOpening(): boolean
  connectionClosed(): void
  requestPending(): boolean
  requestNoLongerPending(): void
}

/** The pooled connections to one endpoint. */
export interface UpstreamEndpoint {
  readonly address: string
  readonly activeRequests: number
  readonly connections: number
  /** No new requests; connections close when theirs have ended. */
  drain(): void
  destroy(): void
}
