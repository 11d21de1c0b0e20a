import { parseIp } from '../../../base/ip.ts'
import type { ConntrackCleaner } from '../../forwarding/conntrack/index.ts'
import type { FlowCleaner, StaleFlow } from './stale-flows.ts'

/** Speaks of stale flows in the words of conntrack. */
export function conntrackFlows(cleaner: Pick<ConntrackCleaner, 'deleteUdp'>): FlowCleaner {
  const forget = ({ address, port, backend }: StaleFlow): Promise<number> => {
    const to = parseIp(address)
    const from = backend && parseIp(backend.address)
    return cleaner.deleteUdp({
      port,
      ...(to ? { originalDestination: to } : {}),
      ...(backend && from ? { backend: { address: from, port: backend.port } } : {}),
    })
  }
  return {
    // wishes that come together are answered by one look, which each of them counts
    forget: async (flows) => Math.max(0, ...(await Promise.all(flows.map(forget)))),
  }
}
