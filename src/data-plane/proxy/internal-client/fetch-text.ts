import type { FetchText } from '../filters/jwks-cache.ts'
import type { InternalClient } from './internal-client.ts'

/** Longest document. */
const MAX_BYTES = 1_048_576

/** Gets documents, such as key sets. @throws Error whose text says what was asked and what came instead */
export function createFetchText(client: InternalClient): FetchText {
  return async ({ cluster, uri, timeoutMs }) => {
    const { authority, path, scheme } = targetOf(uri, cluster)
    const request = { method: 'GET', path, authority, scheme, headers: [{ name: 'accept', value: 'application/json, */*' }] }
    const { status, body } = await client.call(cluster, request, { timeoutMs, maxBytes: MAX_BYTES })
    if (status !== 200) throw new Error(`${uri} through cluster ${cluster}: the answer has HTTP status ${status} instead of 200`)
    return body.toString()
  }
}

/** A path alone is asked of the cluster by its name. */
function targetOf(uri: string, cluster: string): { readonly authority: string; readonly path: string; readonly scheme: string } {
  if (uri.startsWith('/')) return { authority: cluster, path: uri, scheme: 'http' }
  const url = URL.parse(uri)
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(`${uri} is no address of a document: write it like https://issuer.example.com/keys`)
  return { authority: url.host, path: `${url.pathname}${url.search}`, scheme: url.protocol.slice(0, -1) }
}
