import { createHash } from 'node:crypto'
import type { ServerRequest, ServerResponse } from '../contract.ts'

/** A document that seldom changes: encoded once, with an ETag. */
export interface CachedDocument {
  readonly bytes: Uint8Array
  /** Changes when the bytes do: the ETag, without its quotes. */
  readonly hash: string
}

/** `hash` is worked out from the bytes where the caller does not know a cheaper one. */
export function cachedDocument(value: unknown, hash?: string): CachedDocument {
  const bytes = Buffer.from(JSON.stringify(value))
  return { bytes, hash: hash ?? createHash('sha512').update(bytes).digest('hex').toUpperCase() }
}

/** The document, or 304 when the client has it already. */
export function answerDocument(
  request: ServerRequest,
  document: CachedDocument,
  headers: Readonly<Record<string, string>> = {},
): ServerResponse {
  const etag = `"${document.hash}"`
  const known = (request.headers?.['if-none-match'] ?? '').split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
  if (known) return { status: 304, headers: { etag, ...headers }, body: { type: 'empty' } }
  const parse = (): unknown => JSON.parse(Buffer.from(document.bytes).toString())
  return { status: 200, headers: { etag, ...headers }, body: { type: 'json', chunks: [document.bytes], parse } }
}
