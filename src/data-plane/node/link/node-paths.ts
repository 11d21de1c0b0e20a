import { messageOf, STATUS_CODES, StatusError } from '../../../base/errors.ts'

/** One question over the link. */
export interface NodePathRequest {
  readonly path: string
  readonly query: URLSearchParams
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Text, a JSON value, or bytes as they come. */
export type NodePathAnswer =
  | { readonly text: string; readonly contentType?: string }
  | { readonly json: unknown }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly contentType: string }

/** @throws {StatusError} to refuse, such as `BadRequest` for a bad query */
export type NodePathHandler = (request: NodePathRequest) => Promise<NodePathAnswer> | NodePathAnswer

/** What a node answers, by exact path: `/metrics`, `/healthz`, ... */
export type NodePaths = ReadonlyMap<string, NodePathHandler>

export interface EncodedAnswer {
  readonly status?: number
  readonly contentType: string
  readonly body: AsyncIterable<Uint8Array>
}

/** Source: Prometheus text format 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Asks the handler of a path. Never rejects: what went wrong is the answer. */
export async function answerPath(paths: NodePaths, request: NodePathRequest): Promise<EncodedAnswer> {
  const handler = paths.get(request.path)
  if (!handler) return refusal(404, `the node has no path ${request.path}; it has ${[...paths.keys()].toSorted().join(', ') || 'none'}`)
  try {
    const answer = await handler(request)
    if ('stream' in answer) return { contentType: answer.contentType, body: answer.stream }
    if ('json' in answer) return { contentType: 'application/json', body: once(JSON.stringify(answer.json)) }
    return { contentType: answer.contentType ?? 'text/plain; charset=utf-8', body: once(answer.text) }
  } catch (error) {
    const status = error instanceof StatusError ? STATUS_CODES[error.reason] : 500
    return refusal(status, messageOf(error))
  }
}

function refusal(status: number, text: string): EncodedAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body: once(text) }
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
