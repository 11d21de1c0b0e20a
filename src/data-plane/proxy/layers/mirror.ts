import type { Random } from '../../../base/backoff.ts'
import type { Mirror } from '../../../policy/traffic/model/index.ts'
import type { ClusterManager } from '../clusters/index.ts'
import type { Layer, RequestHead, UpstreamEndpoint } from '../contract.ts'

/** A request whose response nobody waits for. The body comes piece by piece, valid during the call alone. */
export interface MirrorRequest {
  write(chunk: Uint8Array, ended: boolean): void
}

/** Begins one. `authority` is what it carries instead of the request's. Never throws; drops what it cannot send, rather than hold the request up. */
export type StartMirror = (endpoint: UpstreamEndpoint, head: RequestHead, authority: string) => MirrorRequest

/** Sends copies to other clusters; their `host` ends in `-shadow`, as for Envoy. */
export function createMirrorLayer(mirrors: readonly Mirror[], clusters: ClusterManager, start: StartMirror, random: Random): Layer {
  if (mirrors.length === 0) return (inner) => inner
  return (inner) => (exchange) => {
    const { request, connection } = exchange
    for (const { cluster: name, percentage } of mirrors) {
      if (random() * 100 >= percentage || request.upgrade !== undefined) continue
      const cluster = clusters.get(name)
      const host = cluster?.pick()
      if (!cluster || !host) continue
      cluster.stats.table.inc(cluster.stats.requests)
      const copy = start(cluster.connect(host, connection.protocol === 'http2' ? 'http2' : 'http1'), request, shadow(request.authority))
      if (!request.endsWithHead) exchange.observeRequestBody((chunk, ended) => copy.write(chunk, ended))
    }
    inner(exchange)
  }
}

/** The name gets the ending, not the port. */
function shadow(authority: string): string {
  const port = /:\d+$/.exec(authority)?.[0] ?? ''
  return `${authority.slice(0, authority.length - port.length)}-shadow${port}`
}
