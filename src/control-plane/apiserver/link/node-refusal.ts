import { STATUS_CODES, StatusError, type StatusReason } from '../../../base/errors.ts'
import type { LinkResponse } from './node-links.ts'

const MAX_MESSAGE_BYTES = 4096
/** Refusals that mean the same from a node as from this server. */
const REASONS: readonly StatusReason[] = ['BadRequest', 'NotFound', 'MethodNotAllowed', 'TooManyRequests', 'ServiceUnavailable', 'Timeout']

/** The error for an answer with status >= 400, in the node's words. Reads the start of its body. */
export async function nodeRefusal(response: LinkResponse): Promise<StatusError> {
  const message = (await start(response.body)).trim() || `the node answered ${response.status}`
  return new StatusError(REASONS.find((reason) => STATUS_CODES[reason] === response.status) ?? 'InternalError', message)
}

async function start(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= MAX_MESSAGE_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_MESSAGE_BYTES)
}
