import type { Pod } from '../../../api/generated/types.ts'
import { StatusError } from '../../../base/errors.ts'
import { encodeContainerLogs } from '../../../protocols/node-link.ts'
import type { Handler, ServerRequest, ServerResponse } from '../contract.ts'
import { firstOf } from '../http/query.ts'
import { checkStarted, chooseContainer, readLogQuery } from './log-options.ts'
import type { LinkResponse, NodeLinks } from './node-links.ts'
import { nodeRefusal } from './node-refusal.ts'

export interface LogHandlerOptions {
  readonly links: NodeLinks
  /** @throws {StatusError} `NotFound` */
  readonly getPod: (namespace: string, name: string) => Promise<Pod>
}

/**
 * Answers `GET /api/v1/namespaces/<ns>/pods/<pod>/log` from the pod's node, streaming. A pod that has no node yet has an empty log.
 * @throws {StatusError} `NotFound`, `BadRequest`, `Invalid`, `MethodNotAllowed`, `ServiceUnavailable` (the node is not connected)
 */
export function createLogHandler(options: LogHandlerOptions): Handler {
  return async (request) => {
    const { info } = request
    if (info?.verb !== 'get') throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
    const query = readLogQuery(request.query, info.name)
    const pod = await options.getPod(info.namespace, info.name)
    const container = chooseContainer(pod, firstOf(request.query, 'container'))
    const node = pod.spec?.nodeName
    if (!node) return text(none())
    checkStarted(pod, container, query.previous ?? false)
    const path = encodeContainerLogs({ namespace: info.namespace, pod: info.name, container }, query)
    return answer(await options.links.request(node, { method: 'GET', path, ...signalOf(request) }))
  }
}

async function answer(response: LinkResponse): Promise<ServerResponse> {
  if (response.status < 400) return text(response.body)
  throw await nodeRefusal(response)
}

function text(chunks: AsyncIterable<Uint8Array>): ServerResponse {
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: { type: 'stream', chunks } }
}

async function* none(): AsyncGenerator<Uint8Array> {}

function signalOf(request: ServerRequest): { signal?: AbortSignal } {
  return request.signal ? { signal: request.signal } : {}
}
