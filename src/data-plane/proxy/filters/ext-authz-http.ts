import type { ExtAuthzFilter, HeaderValue } from '../../../policy/traffic/model/index.ts'
import type { RequestHead } from '../contract.ts'
import type { InternalAnswer, InternalRequest } from '../internal-client/index.ts'
import { isForeign, type AuthorityVerdict, type ShownBody } from './authority-verdict.ts'

/** What an authority is asked over HTTP: the request itself, with a few of its headers. Source: Envoy, ext_authz HttpService. */
export function authorityRequest(filter: ExtAuthzFilter, request: RequestHead, body: ShownBody | undefined): InternalRequest {
  const { pathPrefix = '', includeHeaders = [] } = filter
  // a tunnel that HTTP/2 asks for is a GET where HTTP/1.1 does
  const method = request.upgrade !== undefined && request.method === 'CONNECT' ? 'GET' : request.method
  const names = new Set(['authorization', ...includeHeaders.filter(isForeign)])
  const headers = [...names].flatMap((name) => request.headers.getAll(name).map((value) => ({ name, value })))
  if (body) headers.push({ name: 'x-envoy-auth-partial-body', value: String(body.partial) })
  const bytes = body?.bytes ?? new Uint8Array(0)
  const hasNone = bytes.length === 0 && (method === 'GET' || method === 'HEAD')
  if (hasNone) headers.push({ name: 'content-length', value: '0' })
  return {
    method,
    path: `${pathPrefix}${request.path}`,
    authority: request.authority,
    scheme: request.scheme,
    headers,
    ...(hasNone ? {} : { body: bytes }),
  }
}

/** 200 lets pass; 5xx is no decision; any other status is the client's answer, with all of its headers. @throws Error where there is no decision */
export function httpVerdict(filter: ExtAuthzFilter, { status, headers, body }: InternalAnswer): AuthorityVerdict {
  if (status >= 500) throw new Error(`the authority answers with HTTP status ${status}`)
  const fields: HeaderValue[] = []
  headers.forEach((name, value) => fields.push({ name, value }))
  if (status !== 200) return { allowed: false, status, headers: fields.filter(({ name }) => isForeign(name)), body: body.toString() }
  const { upstreamHeaders = [] } = filter
  const set: HeaderValue[] = []
  const more: HeaderValue[] = []
  for (const field of fields) {
    if (!upstreamHeaders.includes(field.name)) continue
    ;(set.some(({ name }) => name === field.name) ? more : set).push(field)
  }
  const remove = headers
    .getAll('x-envoy-auth-headers-to-remove')
    .flatMap((list) => list.split(',').map((name) => name.trim().toLowerCase()))
  return { allowed: true, set, append: more, remove, responseHeaders: [], setQuery: [], removeQuery: [] }
}
