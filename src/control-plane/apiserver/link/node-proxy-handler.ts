import { StatusError } from '../../../base/errors.ts'
import { encodeNodePath } from '../../../protocols/node-link.ts'
import type { Handler } from '../contract.ts'
import type { NodeLinks } from './node-links.ts'
import { nodeRefusal } from './node-refusal.ts'

export interface NodeProxyHandlerOptions {
  readonly links: NodeLinks
  /** @throws {StatusError} `NotFound` */
  readonly getNode: (name: string) => Promise<unknown>
  /** Longest answer that is passed on. Default 256 MiB. */
  readonly maxBytes?: number
}

const MAX_BYTES = 256 * 1024 * 1024

/**
 * Answers `GET /api/v1/nodes/<name>/proxy/<path>` with what the node says to `GET <path>`, streaming. Only reading: nothing on a node is
 * changed this way. @throws {StatusError} `NotFound`, `MethodNotAllowed`, `ServiceUnavailable` (the node has no link), and what the node refuses
 */
export function createNodeProxyHandler(options: NodeProxyHandlerOptions): Handler {
  const { links, getNode, maxBytes = MAX_BYTES } = options
  return async (request) => {
    const { info } = request
    if (info?.verb !== 'get') throw new StatusError('MethodNotAllowed', 'the proxy of a node only reads: use GET')
    // a link outlives its Node by a moment, a Node its link by long: only the second needs a look
    if (!links.connected(info.name)) await getNode(info.name)
    const path = encodeNodePath(pathBehindProxy(request.path), request.query)
    const answer = await links.request(info.name, { method: 'GET', path, ...(request.signal ? { signal: request.signal } : {}) })
    if (answer.status >= 400) throw await nodeRefusal(answer)
    const type = answer.headers['content-type']
    const headers = { 'content-type': typeof type === 'string' ? type : 'application/octet-stream' }
    return { status: 200, headers, body: { type: 'stream', chunks: bounded(answer.body, maxBytes) } }
  }
}

/** What follows `/api/v1/nodes/<name>/proxy`, as it was encoded. */
function pathBehindProxy(path: string): string {
  return `/${path.split('/').slice(6).join('/')}`
}

async function* bounded(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let left = maxBytes
  for await (const chunk of chunks) {
    left -= chunk.byteLength
    // the head has gone: a broken stream tells the reader that this is not all
    if (left < 0) throw new StatusError('RequestEntityTooLarge', `the answer of the node is longer than ${maxBytes} bytes`)
    yield chunk
  }
}
