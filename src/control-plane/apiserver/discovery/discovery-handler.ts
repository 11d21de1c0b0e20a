import type { KindDefinition } from '../../../api/kind.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Handler, ServerRequest, ServerResponse } from '../contract.ts'
import { answerDocument, cachedDocument, type CachedDocument } from '../http/cached-document.ts'
import { segmentsOf } from '../http/normalize-path.ts'
import { groupVersions, type GroupVersion } from './api-resources.ts'
import { negotiate, type Flavour } from './negotiate.ts'
import * as documents from './documents.ts'

export interface DiscoveryOptions {
  /** What is served now; asked again with each request, so that kinds may come and go. The same array means nothing changed. */
  readonly kinds: () => readonly KindDefinition[]
  /** `host:port` for the legacy document. */
  readonly serverAddress: () => string
}

/**
 * Answers `/api`, `/apis` and everything below them that is not a resource: aggregated v2 and v2beta1 for those who ask for exactly that, the
 * legacy documents for all others. Every document has an ETag.
 *
 * @throws {StatusError} `NotFound`, `MethodNotAllowed`
 */
export function createDiscoveryHandler(options: DiscoveryOptions): Handler {
  let kinds: readonly KindDefinition[] = []
  let versions: readonly GroupVersion[] = []
  const cache = new Map<string, CachedDocument>()

  const document = (key: string, make: () => object | undefined): CachedDocument => {
    const known = cache.get(key)
    if (known) return known
    const value = make()
    if (!value) throw new StatusError('NotFound', 'the server could not find the requested resource')
    const made = cachedDocument(value)
    cache.set(key, made)
    return made
  }

  return (request) => {
    if (request.method !== 'GET') {
      throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
    }
    if (options.kinds() !== kinds) {
      kinds = options.kinds()
      versions = groupVersions(kinds)
      cache.clear()
    }
    const [root, group, version] = segmentsOf(request.path)
    if (group === undefined) return Promise.resolve(answerRoot(request, root === 'api', { document, versions, options }))
    const wanted =
      root === 'api'
        ? versionList(versions, '', group)
        : version === undefined
          ? () => documents.apiGroup(versions, group)
          : versionList(versions, group, version)
    return Promise.resolve(answerDocument(request, document(request.path, wanted)))
  }
}

interface RootContext {
  readonly document: (key: string, make: () => object | undefined) => CachedDocument
  readonly versions: readonly GroupVersion[]
  readonly options: DiscoveryOptions
}

function answerRoot(request: ServerRequest, core: boolean, { document, versions, options }: RootContext): ServerResponse {
  const flavour = negotiate(request.headers?.['accept'])
  const served = versions.filter(({ group }) => (group === '') === core)
  const make = (): object => {
    if (flavour !== 'legacy') return documents.aggregated(served, flavour)
    return core ? documents.coreVersions(served, options.serverAddress()) : documents.groupList(served)
  }
  return answerDocument(request, document(`${request.path} ${flavour}`, make), { 'content-type': contentType(flavour), vary: 'Accept' })
}

function contentType(flavour: Flavour): string {
  return flavour === 'legacy' ? 'application/json' : `application/json;g=apidiscovery.k8s.io;v=${flavour};as=APIGroupDiscoveryList`
}

function versionList(versions: readonly GroupVersion[], group: string, version: string): () => object | undefined {
  return () => {
    const found = versions.find((candidate) => candidate.group === group && candidate.version === version)
    return found && documents.resourceList(found)
  }
}
