import { ROUTE_PROTOCOL } from '../../../policy/route/fib-route.ts'
import { RouteSocket } from '../../forwarding/netlink/index.ts'
import { openNft } from '../../forwarding/nft/index.ts'
import { removeNamespaces } from './kernel-pod-network.ts'
import { netlinkWriter } from './links/netlink-links.ts'
import { REMOVE_POD_NAT } from './nat/pod-nat-table.ts'
import { TUNNEL_DEVICE } from './routes/plan-node-routes.ts'

/**
 * Takes away all that a node in kernel mode has made: its pods must have ended, and no other node may keep its pod network in this network
 * namespace. What is gone already is no error. @param namespacesDir where its pods' namespaces are
 */
export async function removePodNetwork(namespacesDir: string): Promise<void> {
  removeNamespaces(namespacesDir)
  await netlinkWriter().apply([{ op: 'delete-link', device: TUNNEL_DEVICE }])
  await removeRoutes()
  const nft = openNft()
  try {
    await nft.run(REMOVE_POD_NAT)
  } finally {
    nft.close()
  }
}

async function removeRoutes(): Promise<void> {
  const socket = RouteSocket.open()
  try {
    const routes = await socket.routes({ protocol: ROUTE_PROTOCOL.node })
    // links of pods that are gone take their routes with them, at any moment
    const failures = await socket.changeRoutes(routes.map((route) => ({ op: 'delete', route })))
    const failure = failures.find(({ code }) => code !== 'ESRCH' && code !== 'ENOENT')
    if (failure) throw new Error(`a route of this node could not be removed: ${failure.code} ${failure.message}`)
  } finally {
    socket.close()
  }
}
