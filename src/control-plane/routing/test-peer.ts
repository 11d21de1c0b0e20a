import { parseIp } from '../../base/ip.ts'
import type { PeerConfig } from './config/index.ts'

/** A peer that waits to be called. */
export const TEST_PEER: PeerConfig = {
  name: 'tor',
  remote: { address: parseIp('192.0.2.2')!, port: 179 },
  session: {
    localAs: 65_001,
    routerId: 1,
    remoteAs: 'external',
    families: [4],
    holdSeconds: 90,
    connectRetrySeconds: 15,
    passive: true,
    addPathReceive: false,
    extendedNextHop: false,
  },
  transport: {},
  routeReflectorClient: false,
  nextHop: 'auto',
  allowOwnAs: 0,
  enforceFirstAs: true,
  gracefulShutdown: false,
  maximumPrefixes: {},
}
