// biplane's speaker as a process of its own, configured as the other routers are. No forwarding table, as there.
import { systemClock } from '../../src/base/clock.ts'
import { parseIp } from '../../src/base/ip.ts'
import { silentLogger } from '../../src/base/log.ts'
import { BfdManager, kernelBfdSockets, kernelSockets, Speaker } from '../../src/control-plane/routing/index.ts'
import type { PeerConfig, RoutingConfig } from '../../src/control-plane/routing/config/routing-config.ts'
import { createRib } from '../../src/control-plane/routing/rib/index.ts'
import type { RoutePolicySpec } from '../../src/policy/route/index.ts'
import { LOCAL_AS, NEIGHBOUR_AS, neighbourAddress, ROUTER_ADDRESS } from './addresses.ts'
import { PREFERRED_COMMUNITY, REJECTED_AS } from './generate-feed.ts'

const INCOMING: RoutePolicySpec = {
  rules: [
    {
      name: 'bogons',
      match: {
        prefixes: [
          { prefix: '10.0.0.0/8', le: 32 },
          { prefix: '192.168.0.0/16', le: 32 },
          { prefix: '0.0.0.0/0', ge: 25 },
        ],
      },
      action: 'Reject',
    },
    { name: 'unwanted', match: { asPath: [`_${REJECTED_AS}_`] }, action: 'Reject' },
    {
      name: 'preferred',
      match: { communities: { any: [PREFERRED_COMMUNITY.join(':')] } },
      set: { localPreference: 200 },
      action: 'Accept',
    },
  ],
  defaultAction: 'Accept',
}
const ALL: RoutePolicySpec = { rules: [], defaultAction: 'Accept' }
const NOTHING: RoutePolicySpec = { rules: [], defaultAction: 'Reject' }
const ROUTER_ID = 0x0a630001

export function runRouter(): void {
  const speaker = new Speaker({
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    sockets: kernelSockets(),
    bfd: new BfdManager({ sockets: kernelBfdSockets(Math.random), clock: systemClock, random: Math.random, log: silentLogger }),
    fib: { apply: () => Promise.resolve([]), change: () => Promise.resolve([]) },
    createRib,
    interfaces: () => ({}),
  })
  speaker.apply(config())
  process.on('SIGTERM', () => process.exit(0))
}

function config(): RoutingConfig {
  return {
    revision: '1',
    router: {
      name: 'bench',
      generation: 1,
      localAs: LOCAL_AS,
      routerId: ROUTER_ID,
      clusterId: ROUTER_ID,
      listen: { addresses: [ROUTER_ADDRESS], port: 179 },
      maximumPaths: 1,
      multipathRelax: false,
      metrics: { ebgp: 20, ibgp: 200 },
      install: false,
      table: 254,
      metricBase: 0,
      drain: false,
      restartTimeSeconds: 120,
    },
    peers: NEIGHBOUR_AS.map((as, i): PeerConfig => ({
      name: `neighbour-${i}`,
      remote: { address: parseIp(neighbourAddress(i)) as Uint8Array, port: 179 },
      session: {
        localAs: LOCAL_AS,
        routerId: ROUTER_ID,
        remoteAs: { first: as, last: as },
        families: [4],
        holdSeconds: 240,
        connectRetrySeconds: 5,
        passive: true,
        addPathReceive: false,
        extendedNextHop: false,
      },
      transport: {},
      importPolicy: { name: 'incoming', spec: i < 2 ? INCOMING : NOTHING },
      exportPolicy: { name: 'outgoing', spec: i < 2 ? NOTHING : ALL },
      routeReflectorClient: false,
      nextHop: 'auto',
      allowOwnAs: 0,
      enforceFirstAs: true,
      gracefulShutdown: false,
      maximumPrefixes: {},
    })),
    originated: [],
    statics: [],
    problems: [],
  }
}
