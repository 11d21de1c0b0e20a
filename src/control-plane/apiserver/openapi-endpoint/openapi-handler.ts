import type { KindDefinition } from '../../../api/kind.ts'
import { openApiDocument, openApiHash, openApiIndex } from '../../../api/openapi/index.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Handler } from '../contract.ts'
import { answerDocument, cachedDocument, type CachedDocument } from '../http/cached-document.ts'
import { firstOf } from '../http/query.ts'
import { answerOpenApiV2 } from './openapi-v2.ts'

/**
 * Answers `/openapi/v3` and `/openapi/v3/<path>`. A document is built when somebody first wants it and kept as bytes; asked for with its present
 * hash it may be cached for ever. OpenAPI v2 describes nothing (see `answerOpenApiV2`): clients since kubectl 1.29 need only its presence.
 *
 * `kinds` gives the same array as long as nothing has changed. @throws {StatusError} `NotFound`, `MethodNotAllowed`
 */
export function createOpenApiHandler(kinds: () => readonly KindDefinition[]): Handler {
  let known: readonly KindDefinition[] = []
  const documents = new Map<string, Promise<CachedDocument | undefined>>()

  const documentOf = (path: string): Promise<CachedDocument | undefined> => {
    const current = kinds()
    if (current !== known) documents.clear()
    known = current
    const cached = documents.get(path)
    if (cached) return cached
    const made = build(path, current)
    documents.set(path, made)
    // neither unknown paths nor failures are remembered
    made.then((document) => document ?? documents.delete(path)).catch(() => documents.delete(path))
    return made
  }

  return async (request) => {
    if (request.method !== 'GET') {
      throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
    }
    if (request.path === '/openapi/v2') return answerOpenApiV2(request)
    const path = request.path.replace(/^\/openapi\/v3\/?/, '')
    const document = await documentOf(path)
    if (!document) throw new StatusError('NotFound', 'the server could not find the requested resource')
    // a hash that is no longer ours must not make the new document immutable under the old name
    const pinned = path !== '' && firstOf(request.query, 'hash') === document.hash
    return answerDocument(request, document, pinned ? { 'cache-control': 'public, immutable, max-age=31536000' } : {})
  }
}

async function build(path: string, kinds: readonly KindDefinition[]): Promise<CachedDocument | undefined> {
  if (path === '') return cachedDocument(openApiIndex(kinds))
  const document = await openApiDocument(path, kinds)
  return document && cachedDocument(document, openApiHash(path, kinds))
}
