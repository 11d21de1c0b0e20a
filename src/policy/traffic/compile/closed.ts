import type { MeshServiceView, ProxyView, ServicePortView } from '../input/index.ts'
import { inboundName, outboundName, type FilterChain, type Listener } from '../model/index.ts'

/** Name of the chain of what is closed because it cannot be compiled. */
export const CLOSED_CHAIN = 'closed'

const closedChain = (statPrefix: string): FilterChain => ({
  name: CLOSED_CHAIN,
  match: {},
  tcp: { statPrefix, clusters: [], accessLogs: [] },
})

/**
 * Listeners for a service port that cannot be compiled: connections to it are closed. Without them they would be taken for calls to something outside of the
 * mesh, and go on without its policies and without mutual TLS.
 */
export function closedOutbound(service: MeshServiceView, port: ServicePortView): readonly Listener[] {
  const dialled =
    service.headless && service.kind === 'Service'
      ? port.endpoints.map(({ address }) => address)
      : service.vips.map((address) => ({ address, port: port.port }))
  return dialled.map((address) => ({
    name: outboundName(address.address, address.port),
    direction: 'outbound',
    address,
    service: { namespace: service.namespace, name: service.name, port: port.port },
    protocol: 'tcp',
    chains: [closedChain(CLOSED_CHAIN)],
  }))
}

/** The listener of a port of the application that cannot be compiled. Without it the rules of ports that nobody declares would hold. */
export function closedInbound({ port }: ProxyView['ports'][number], { ips }: ProxyView): Listener {
  return {
    name: inboundName(port),
    direction: 'inbound',
    address: { address: ips[0] ?? '127.0.0.1', port },
    protocol: 'tcp',
    chains: [closedChain(CLOSED_CHAIN)],
  }
}
