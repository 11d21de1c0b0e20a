import type { RequestInfo, ServerRequest } from '../contract.ts'
import { requestInfo } from '../authz/request-info.ts'

/**
 * What a request is about. As `requestInfo`, and besides the old form of a watch, `/api/v1/watch/pods`, which kubectl and
 * client libraries of long ago still send: it is the same as `/api/v1/pods?watch=true`, and with a name
 * (`/api/v1/watch/namespaces/x/pods/y`) as that with a field selector.
 */
export function parseRequestInfo(request: Pick<ServerRequest, 'method' | 'path' | 'query' | 'info'>): RequestInfo {
  const legacy = LEGACY_WATCH.exec(request.path)
  if (!legacy || request.method !== 'GET') return request.info ?? requestInfo({ ...request, query: request.query ?? {} })
  const path = `${legacy[1]}/${legacy[2]}`
  const info = requestInfo({ method: 'GET', path, query: { ...request.query, watch: 'true' } })
  if (info.name === '' || info.verb === 'watch') return info
  return { ...info, verb: 'watch', fieldSelector: `metadata.name=${info.name}` }
}

const LEGACY_WATCH = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/watch\/(.+)$/
