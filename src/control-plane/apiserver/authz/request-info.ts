import type { RequestInfo } from '../contract.ts'
import { segmentsOf } from '../http/normalize-path.ts'
import { firstOf, flagOf, type Query } from '../http/query.ts'

/**
 * Reads method, path and query the way upstream does: the answer is what is authorized and what is routed. Everything outside `/api/<version>/` and
 * `/apis/<group>/<version>/` is a non-resource request, discovery documents included. The old form of a watch, `/api/v1/watch/pods`, is read as the
 * watch that it is.
 *
 * `path` must come from `normalizePath`. Source: k8s.io/apiserver RequestInfoFactory.NewRequestInfo, without the `/proxy/` prefix.
 */
export function requestInfo(request: { readonly method: string; readonly path: string; readonly query?: Query }): RequestInfo {
  const segments = segmentsOf(request.path)
  const rest = segments[0] === 'api' ? segments.slice(1) : segments[0] === 'apis' ? segments.slice(2) : []
  if (rest.length < 2) return { ...NON_RESOURCE, path: request.path, verb: request.method.toLowerCase() }
  const group = segments[0] === 'apis' ? (segments[1] as string) : ''
  const legacyWatch = rest[1] === 'watch' && rest.length > 2 && request.method === 'GET'
  const target = readTarget(rest.slice(legacyWatch ? 2 : 1))
  const verb = legacyWatch ? readLegacyWatch(request.query, target.name) : readVerb(request, target.name)
  return { isResourceRequest: true, path: request.path, group, version: rest[0] as string, ...target, ...verb }
}

const NON_RESOURCE: Omit<RequestInfo, 'path' | 'verb'> = {
  isResourceRequest: false,
  group: '',
  version: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize'])

const VERBS: Readonly<Record<string, string>> = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** `segments` follow the version; there is at least one. A namespace is itself in its namespace, as upstream has it. */
function readTarget(segments: readonly string[]): { namespace: string; resource: string; name: string; subresource: string } {
  const [first, second, third] = segments
  const inside = first === 'namespaces' && third !== undefined && !NAMESPACE_SUBRESOURCES.has(third)
  const namespace = first === 'namespaces' ? (second ?? '') : ''
  const [resource = '', name = '', ...subresource] = inside ? segments.slice(2) : segments
  // what follows is a path of the node's own
  if (resource === 'nodes' && subresource[0] === 'proxy') return { namespace, resource, name, subresource: 'proxy' }
  return { namespace, resource, name, subresource: subresource.join('/') }
}

function readVerb(
  request: { readonly method: string; readonly query?: Query },
  name: string,
): { verb: string; name: string; fieldSelector?: string } {
  const verb = VERBS[request.method] ?? request.method.toLowerCase()
  if (name !== '' || (verb !== 'get' && verb !== 'delete')) return { verb, name }
  const fieldSelector = firstOf(request.query, 'fieldSelector')
  const collection = verb === 'delete' ? 'deletecollection' : flagOf(request.query, 'watch') ? 'watch' : 'list'
  if (!fieldSelector) return { verb: collection, name }
  return { verb: collection, name: exactField(fieldSelector, 'metadata.name') ?? '', fieldSelector }
}

/** With a name in the path, whatever field selector is sent: the path says which one. */
function readLegacyWatch(query: Query | undefined, name: string): { verb: string; name: string; fieldSelector?: string } {
  if (name !== '') return { verb: 'watch', name, fieldSelector: `metadata.name=${name}` }
  return readVerb({ method: 'GET', query: { ...query, watch: 'true' } }, name)
}

/** The value a field selector demands of `field`: `a=1,spec.nodeName=x` demands `x` of `spec.nodeName`. Absent when it demands none or two. */
export function exactField(selector: string, field: string): string | undefined {
  // an escaped comma would be split here and joined there: such a selector demands nothing
  if (selector.includes('\\')) return undefined
  const wanted = new Set<string>()
  for (const term of selector.split(',')) {
    const [key, value] = splitTerm(term)
    if (key === field && value !== undefined) wanted.add(value)
  }
  const [only] = wanted
  return wanted.size === 1 ? only : undefined
}

function splitTerm(term: string): [string, string | undefined] {
  const match = /^\s*([^=!\s]+)\s*==?\s*([^=!\s]+)\s*$/.exec(term)
  return match ? [match[1] as string, match[2]] : [term, undefined]
}
