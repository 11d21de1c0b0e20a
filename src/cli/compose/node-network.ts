import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseIp, parsePrefix, type IpBytes, type IpPrefix } from '../../base/ip.ts'
import type { Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { nodes } from '../../api/core/v1/node.ts'
import type { Node } from '../../api/generated/types.ts'
import type { Client } from '../../client/client.ts'
import type { Nft } from '../../data-plane/forwarding/contract.ts'
import { openConntrackCleaner } from '../../data-plane/forwarding/conntrack/index.ts'
import { openFib } from '../../data-plane/forwarding/fib/index.ts'
import { openNft } from '../../data-plane/forwarding/nft/index.ts'
import { ROUTE_PROTOCOL } from '../../policy/route/fib-route.ts'
import {
  devicesHere,
  ensureForwarding,
  netlinkWriter,
  KernelPodNetwork,
  NodeAddressPool,
  NodeRoutes,
  PodNatTable,
  readJsonFile,
  hasIpv6,
  readNodeLinks,
  readTunnels,
  removePodNetwork,
  TaggedRoutes,
  TUNNEL_DEVICE,
  TunnelEnd,
  tunnelOverhead,
  VTEP_MAC,
  VTEP_PORT,
  writeJsonFile,
  type NodeRouteMode,
  type PodNetwork,
  type PodRoutes,
} from '../../data-plane/node/network/index.ts'
import type { PacketPlane } from './packet-plane.ts'
import { openSource, type Source } from './packet-sources.ts'
import { routeProblemLog } from './route-problems.ts'

export interface NodeNetworkOptions {
  readonly name: string
  /** Primary first. */
  readonly addresses: readonly string[]
  readonly routes: NodeRouteMode
  /** One prefix per family, with commas in between; absent: the control plane gives them. */
  readonly podCidr?: string | undefined
  /** The node's directory for what outlives the agent. */
  readonly stateDir: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** What a node in kernel mode has beyond one in loopback mode. */
export interface NodeNetwork {
  /** For the runtime. */
  readonly podNetwork: (namespacesDir: string) => PodNetwork
  /** Path of a pod's network namespace. */
  readonly namespaceOf: (podUid: string) => string
  /** For the Node object. */
  readonly annotations: Readonly<Record<string, string>>
  readonly podCidrs: readonly string[]
  /** Once the API can be reached: what runs beside the agent. @param openPlane opens what else works on the kernel's tables of this node */
  start(client: Client, openPlane: (parts: PlaneParts) => Promise<PacketPlane>): Promise<StartedNetwork>
  /** Takes all of it away: the node's workloads have ended for good. */
  remove(namespacesDir: string): Promise<void>
  close(): Promise<void>
}

/** What the services and policies of a node stand on. */
export interface PlaneParts {
  readonly nft: Nft
  readonly routes: PodRoutes
  /** The link with the node's primary address. */
  readonly device: string
  /** All of the cluster. */
  readonly nodes: Source<Node>
}

export interface StartedNetwork {
  readonly plane: PacketPlane
  readonly network: Pick<NodeRoutes, 'problem' | 'onChange'>
  run(signal: AbortSignal): Promise<void>
}

/** Opens the kernel's tables for one node. Nothing of an earlier agent is changed by that. @throws Error in words a user can act on */
export async function openNodeNetwork(options: NodeNetworkOptions): Promise<NodeNetwork> {
  const { name, addresses, log, clock, random } = options
  const dir = join(options.stateDir, 'network')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const primary = addresses[0] as string
  const links = await readNodeLinks(primary)
  if (!links) throw new Error(`no network interface of this machine has the address ${primary}: pass one that it has (--address)`)
  const podCidrs = options.podCidr === undefined ? undefined : parsePodCidrs(options.podCidr)
  ensureForwarding()
  const nft = openNft({ clock })
  const positions = join(dir, 'addresses.json')
  const pool = new NodeAddressPool({ positions: readJsonFile(positions) ?? {}, save: (next) => writeJsonFile(positions, next) })
  const conntrack = openConntrackCleaner({ clock })
  const nat = new PodNatTable({
    nft,
    nodeAddresses: addresses,
    families: hasIpv6() ? [4, 6] : [4],
    forget(flows) {
      for (const stale of flows) {
        conntrack
          .deleteUdp(stale)
          .catch((error: unknown) => log.warn('stale UDP flows to a pod stay until they are silent', { error: messageOf(error) }))
      }
    },
    clock,
    log,
  })
  const fib = openFib({ protocol: ROUTE_PROTOCOL.node, clock, onProblem: routeProblemLog(log, clock) })
  const routes = new TaggedRoutes(fib)
  const tunnel = await openTunnel(options, { mtu: links.uplink.mtu, file: join(dir, 'tunnel.json') })
  let nodeRoutes: NodeRoutes | undefined
  let podNetwork: KernelPodNetwork | undefined
  const overhead = tunnelOverhead(parseIp(primary) as IpBytes)
  return {
    podNetwork: (namespacesDir) =>
      (podNetwork = new KernelPodNetwork({
        dir: namespacesDir,
        addresses: pool,
        links: netlinkWriter,
        routes,
        hostPorts: nat,
        nodeAddresses: addresses,
        mtu: () => links.uplink.mtu - (nodeRoutes?.isTunnelled ? overhead : 0),
        log,
      })),
    namespaceOf(podUid) {
      if (!podNetwork) throw new Error('the pod network starts with the runtime')
      return podNetwork.namespaceOf(podUid)
    },
    annotations: tunnel ? { [VTEP_MAC]: tunnel.mac, [VTEP_PORT]: String(tunnel.port) } : {},
    podCidrs: options.podCidr?.split(',') ?? [],
    async start(client, openPlane) {
      if (!podNetwork) throw new Error('the pod network starts after the runtime')
      const nodeSource = await openSource(nodes, { client, clock, random, log, stateDir: options.stateDir })
      nodeRoutes = new NodeRoutes({
        name,
        addresses: addresses.map((text) => parseIp(text) as IpBytes),
        mode: options.routes,
        ...(podCidrs ? { podCidrs } : {}),
        nodes: nodeSource.list,
        links: () => readNodeLinks(primary),
        pool,
        nat,
        routes,
        tunnel,
        restored: podNetwork.restored,
        clock,
        log,
      })
      const plane = await openPlane({ nft, routes, device: links.uplink.device, nodes: nodeSource })
      const running = [nodeSource, nodeRoutes, nat, plane]
      return {
        plane,
        network: nodeRoutes,
        run: async (signal) => void (await Promise.all(running.map((part) => part.run(signal)))),
      }
    },
    async remove(namespacesDir) {
      // while it is open it puts back what is taken away
      await fib.close()
      await removePodNetwork(namespacesDir)
    },
    async close() {
      conntrack.close()
      nft.close()
      await fib.close()
    },
  }
}

async function openTunnel(
  options: NodeNetworkOptions,
  parts: { readonly mtu: number; readonly file: string },
): Promise<TunnelEnd | undefined> {
  if (options.routes === 'none' || options.routes === 'direct') return undefined
  const tunnel = new TunnelEnd({
    ...parts,
    nodeName: options.name,
    address: options.addresses[0] as string,
    links: netlinkWriter(),
    hasDevice: () => devicesHere().has(TUNNEL_DEVICE),
    known: readTunnels,
    log: options.log,
  })
  await tunnel.open()
  return tunnel
}

function parsePodCidrs(text: string): readonly IpPrefix[] {
  const prefixes = text.split(',').map((part) => parsePrefix(part))
  const known = prefixes.filter((prefix): prefix is IpPrefix => prefix !== undefined)
  const families = new Set(known.map((prefix) => prefix.family))
  if (known.length !== prefixes.length || families.size !== prefixes.length) {
    throw new Error(
      `--pod-cidr "${text}" is no pod range: write one prefix per family, such as 10.244.1.0/24 or 10.244.1.0/24,fd00:10:244:1::/64`,
    )
  }
  return known
}
