import { bgpPeers } from '../../src/api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { routers } from '../../src/api/routing.biplane.dev/v1alpha1/router.ts'
import { routerSocketPath } from '../../src/cli/compose/router-socket.ts'
import { askSocket } from '../../src/cli/packets/ask-socket.ts'
import type { LabCluster } from '../support/lab-cluster.ts'
import { poll } from '../support/poll.ts'

/** Addresses of a node on the left and right link of a fabric (see planTopology). */
export function fabricAddresses(cluster: LabCluster, name: string): readonly [string, string] {
  const host = cluster.node(name).addresses[0].split('.').at(-1)
  return [`192.168.61.${host}`, `192.168.62.${host}`]
}

/** Every node speaks BGP with every other over both links, watched by BFD: two equal ways to all pods. */
export async function routeOverFabric(cluster: LabCluster): Promise<void> {
  await cluster.client.of(routers).create({
    metadata: { name: 'fabric' },
    spec: { asn: 64_512, maximumPaths: 4, advertise: { podCIDRs: true, loadBalancerIPs: true } },
  })
  for (const { name } of cluster.nodes) {
    for (const [i, address] of fabricAddresses(cluster, name).entries()) {
      await cluster.client.of(bgpPeers).create({
        metadata: { name: `${name}-${i === 0 ? 'left' : 'right'}` },
        spec: {
          address,
          asn: 64_512,
          nodeSelector: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'NotIn', values: [name] }] },
          families: ['ipv4', 'ipv6'],
          bfd: { enabled: true },
          timers: { connectRetrySeconds: 1 },
        },
      })
    }
  }
  await established(cluster)
}

interface Peer {
  readonly name: string
  readonly state?: string
  readonly bfd?: string
  readonly prefixesReceived?: number
}

/** Waits until the routers that run now have all their sessions, watched by BFD, and both pod ranges of each peer. Asks them, not the API: that may tell of the past. */
export async function established(cluster: LabCluster): Promise<void> {
  const perNode = (cluster.nodes.length - 1) * 2
  await poll('all BGP sessions are established', async () => {
    for (const { name, dataDir } of cluster.nodes) {
      const { peers } = (await askSocket(routerSocketPath(dataDir, name), '/peers')) as { readonly peers: readonly Peer[] }
      const up = peers.filter(
        ({ state, bfd, prefixesReceived = 0 }) => state === 'Established' && bfd?.toLowerCase() === 'up' && prefixesReceived >= 2,
      )
      if (up.length !== perNode) throw new Error(`${name}: ${JSON.stringify(peers)}`)
    }
    return true
  })
}
