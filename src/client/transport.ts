import type { KubeObject, WatchEvent } from '../api/meta/object.ts'

/** One API request, whatever carries it. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Such as `/api/v1/namespaces/default/pods`, percent-encoded where needed, without query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** A JSON value, or bytes in the form that `content-type` names. The callee does not keep or change it. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** The answer to an ApiRequest with status < 400. Use exactly one of the three readers. */
export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The JSON body, a fresh object that the caller owns. */
  object(): Promise<unknown>
  /** The events of a watch. Ends when the server ends it; throws when the connection breaks. */
  events(): AsyncIterable<WatchEvent<KubeObject>>
  /** Raw bytes (logs). */
  stream(): AsyncIterable<Uint8Array>
}

/**
 * Carries requests to an API server: over HTTPS, or in-process to the same handler. Both give the same answers.
 * @throws {StatusError} for every status >= 400; an ordinary Error (with `cause`) when the server cannot be reached
 */
export interface Transport {
  send(request: ApiRequest): Promise<ApiResponse>
  close(): Promise<void>
}
