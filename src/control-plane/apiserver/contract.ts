import type { KubeObject, WatchEvent } from '../../api/meta/object.ts'
import type { ApiRequest } from '../../client/transport.ts'

/** Who asks, as authentication found out. */
export interface UserInfo {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What a request is about. Source: k8s.io/apiserver request.RequestInfo. */
export interface RequestInfo {
  readonly isResourceRequest: boolean
  readonly path: string
  /** get list watch create update patch delete deletecollection; the lower-case HTTP method for other paths. */
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly namespace: string
  /** Plural. */
  readonly resource: string
  /** '' for the object itself. Deeper paths keep their slashes, so that nothing unknown is mistaken for something known. */
  readonly subresource: string
  /** Also set for list and watch when the field selector names one object. */
  readonly name: string
  /** As sent, for list, watch and deletecollection; absent when there is none. */
  readonly fieldSelector?: string
}

/** A request that has been authenticated and whose path and headers have been checked. */
export interface ServerRequest extends ApiRequest {
  readonly user: UserInfo
  /** What has been authorized. Route by this and not by a second reading of `path`. Set by `createApiServer`; see `requestInfo`. */
  readonly info?: RequestInfo
  /** Names this request in logs and in the `audit-id` header. */
  readonly auditId?: string
}

/**
 * One event of a watch as the server holds it: parsed and encoded at most once, whoever and how many ask. `line` is
 * the newline-terminated JSON line, shared: never change it.
 */
export interface ServerWatchEvent extends WatchEvent {
  readonly line: Uint8Array
  /** The object once more, for one consumer alone, without the detour over `line`. Absent where events are not whole objects. */
  readonly fresh?: () => KubeObject
}

/** What goes back. Lists and objects may exist only as bytes until somebody wants them parsed. */
export type Payload =
  | { readonly type: 'empty' }
  | { readonly type: 'object'; readonly value: unknown }
  /** Encoded JSON in pieces; `parse` gives a fresh value. */
  | { readonly type: 'json'; readonly chunks: readonly Uint8Array[]; readonly parse: () => unknown }
  | { readonly type: 'events'; readonly events: AsyncIterable<ServerWatchEvent> }
  | { readonly type: 'stream'; readonly chunks: AsyncIterable<Uint8Array> }

export interface ServerResponse {
  readonly status: number
  /** Lower-case names. `content-type` defaults to `application/json`. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body: Payload
}

/** Answers a request. @throws {StatusError} for every refusal; the shell turns it into a Status body */
export type Handler = (request: ServerRequest) => Promise<ServerResponse>

export interface Decision {
  readonly allowed: boolean
  readonly reason: string
}

/** Denies by default. RBAC will stand behind the same hook. */
export interface Authorizer {
  authorize(user: UserInfo, info: RequestInfo): Promise<Decision>
}
