import type { HttpConnectionManager } from '../../../policy/traffic/model/index.ts'
import type { DownstreamTlsInfo, Layer } from '../contract.ts'

/** Gives every request an `x-request-id`, or keeps the client's. @param makeId a UUID */
export function createRequestIdLayer(makeId: () => string): Layer {
  return (inner) => (exchange) => {
    const { headers } = exchange.request
    if (!headers.has('x-request-id')) headers.set('x-request-id', makeId())
    inner(exchange)
  }
}

/** What only a proxy of ours says; from outside it would be a lie. */
const INTERNAL = ['x-envoy-original-path', 'x-envoy-attempt-count', 'x-envoy-external-address', 'x-envoy-internal', 'x-envoy-peer-metadata']

/**
 * What the next one should know of the connection: `x-forwarded-for`, `x-forwarded-proto`, and the client's identity in `x-forwarded-client-cert`, which is
 * never taken over from a client unless configured.
 * @param identity of this proxy, for the `By` of the client certificate header
 */
export function createForwardedLayer(
  manager: HttpConnectionManager,
  direction: 'inbound' | 'outbound' | 'gateway',
  identity: () => string | undefined,
): Layer {
  const details = manager.clientCertDetails ?? (direction === 'inbound' ? 'sanitize-set' : 'sanitize')
  const sanitises = direction === 'gateway' && !manager.trustedHops
  return (inner) => (exchange) => {
    const { connection, request } = exchange
    const { headers } = request
    if (sanitises) for (const name of INTERNAL) if (headers.has(name)) headers.remove(name)
    if (manager.appendForwardedFor) {
      const before = headers.has('x-forwarded-for') ? headers.getAll('x-forwarded-for').join(', ') : undefined
      headers.set('x-forwarded-for', before === undefined ? connection.remote.address : `${before}, ${connection.remote.address}`)
    }
    if (sanitises || !headers.has('x-forwarded-proto')) headers.set('x-forwarded-proto', request.scheme)
    if (details !== 'forward') {
      if (details === 'sanitize-set' && connection.tls?.peer !== undefined) {
        headers.set('x-forwarded-client-cert', clientCertificate(connection.tls, identity()))
      } else if (headers.has('x-forwarded-client-cert')) headers.remove('x-forwarded-client-cert')
    }
    inner(exchange)
  }
}

const certificates = new WeakMap<DownstreamTlsInfo, { readonly by: string | undefined; readonly text: string }>()

/** Made once for each connection. Source: Envoy documentation, x-forwarded-client-cert. */
function clientCertificate(tls: DownstreamTlsInfo, by: string | undefined): string {
  const known = certificates.get(tls)
  if (known && known.by === by) return known.text
  const text = describeClient(tls, by)
  certificates.set(tls, { by, text })
  return text
}

function describeClient({ peer, peerHash }: DownstreamTlsInfo, by: string | undefined): string {
  const parts: string[] = []
  if (by !== undefined) parts.push(`By=${by}`)
  if (peerHash !== undefined) parts.push(`Hash=${peerHash}`)
  if (peer !== undefined) parts.push(`URI=${peer}`)
  return parts.join(';')
}
