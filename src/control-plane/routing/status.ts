import type { BgpSessionStatus } from '../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { RouterNodeStatus } from '../../api/routing.biplane.dev/v1alpha1/router.ts'
import { formatIp, formatPrefix } from '../../base/ip.ts'
import type { Speaker } from './speaker.ts'
import { sessionStatus } from './views.ts'

/** What this node reports to the API: one entry in the status of each object. */
export interface RoutingStatus {
  /** By name of the Router. */
  readonly routers: ReadonlyMap<string, RouterNodeStatus>
  /** By name of the BGPPeer. */
  readonly peers: ReadonlyMap<string, BgpSessionStatus>
  /** By name of the StaticRoute. */
  readonly statics: ReadonlyMap<string, string>
}

export function routingStatus(speaker: Speaker): RoutingStatus {
  const { router, peers, statics, problems } = speaker.config
  const { neighbors } = speaker
  const sessions = new Map<string, BgpSessionStatus>()
  for (const { name, remote } of peers) {
    const mine = neighbors.filter(({ config }) => config.name === name)
    if ('prefixes' in remote) {
      sessions.set(name, {
        state: 'Listening',
        neighbors: Object.fromEntries(mine.map(({ address, session }) => [formatIp(address), session.phase])),
      })
    } else if (mine[0]) sessions.set(name, sessionStatus(speaker, mine[0]))
  }
  const isUp = neighbors.filter(({ session }) => session.phase === 'Established').length
  const broken = new Map(speaker.fibProblems.map(({ prefix, message }) => [prefix, message]))
  return {
    routers: new Map(
      router
        ? [
            [
              router.name,
              {
                observedGeneration: router.generation,
                routerID: formatIp(Uint8Array.of(router.routerId >>> 24, router.routerId >>> 16, router.routerId >>> 8, router.routerId)),
                peers: neighbors.length,
                established: isUp,
                problems: [...problems],
              },
            ],
          ]
        : [],
    ),
    peers: sessions,
    statics: new Map(statics.map(({ name, prefix }) => [name, broken.get(formatPrefix(prefix)) ?? 'Installed'])),
  }
}
