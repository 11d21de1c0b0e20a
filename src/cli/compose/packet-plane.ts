import { existsSync } from 'node:fs'
import type { EndpointSlice, Pod, Service } from '../../api/generated/types.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Client } from '../../client/client.ts'
import { NODE_LOCAL_DNS } from '../../data-plane/dns/index.ts'
import { openNflog, type LoggedPacket } from '../../data-plane/forwarding/nflog/index.ts'
import { openPacketCounters, showPacketCounters } from '../../data-plane/forwarding/counters/index.ts'
import { FILTER_FAMILY, FILTER_TABLE, LOG_GROUP, PolicyEnforcer } from '../../data-plane/forwarding/packet-filter/index.ts'
import { RouteSocket } from '../../data-plane/forwarding/netlink/index.ts'
import { kernelRoute } from '../../data-plane/node/link/kernel-route.ts'
import type { NodePathHandler } from '../../data-plane/node/link/node-paths.ts'
import { packetPaths } from '../../data-plane/node/link/packet-paths.ts'
import { isPodDevice, type PodProtection } from '../../data-plane/node/network/index.ts'
import type { ChangingList } from '../../data-plane/service-proxy/index.ts'
import { SERVICE_TABLE } from '../../data-plane/service-proxy/kernel/index.ts'
import { askSocket } from '../packets/ask-socket.ts'
import type { AppliedReport } from '../../policy/applied.ts'
import { KernelServices, serviceRangesOf } from './kernel-services.ts'
import { createNodeDns, type NodeDns } from './node-dns.ts'
import type { PlaneParts } from './node-network.ts'
import { superviseRouter } from './node-router.ts'
import { freshOrKept, openPacketSources, type PacketSources } from './packet-sources.ts'
import { routerSocketPath } from './router-socket.ts'

export interface PacketPlaneOptions extends PlaneParts {
  readonly client: Client
  /** Absolute. */
  readonly dataDir: string
  /** Of the node. */
  readonly name: string
  readonly addresses: readonly string[]
  readonly stateDir: string
  readonly server: string
  /** PEM. */
  readonly caCertificate: string
  /** The command that starts this program: executable and script. */
  readonly self: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Asked at the end: end DNS too? Default: it runs on. */
  readonly stopAtEnd: () => boolean
}

/** What the agent knows besides. */
export interface ServedLists {
  readonly services: ChangingList<Service>
  readonly endpointSlices: ChangingList<EndpointSlice>
  /** Resolves when both are whole. */
  readonly known: Promise<unknown>
  /** Resolves when the pods that an earlier agent has left are taken over. */
  readonly adopted: Promise<void>
  readonly report: (reason: string, message: string) => void
}

/** Services, policies and names of a node in kernel mode. */
export interface PacketPlane {
  readonly protection: PodProtection
  /** Text of a pod's /etc/resolv.conf. */
  resolvConfOf(pod: Pod): string
  /** Once the agent is there; before `run`. */
  serve(lists: ServedLists): void
  /** What the node says of its packets over the node link. */
  paths(): Readonly<Record<string, NodePathHandler>>
  /** What of services and policies is in force. */
  applied(): readonly AppliedReport[]
  run(signal: AbortSignal): Promise<void>
  /** Takes the tables away: the node goes down for good. */
  remove(): Promise<void>
}

/** Domain of the cluster, which manifests and clients take for granted. */
const DOMAIN = 'cluster.local'
/** What a new agent finds in force is newer than its copies, or as good: the API is given this time to tell more. */
const API_FIRST_MS = 3_000
const DNS_LISTEN = [{ host: NODE_LOCAL_DNS, port: 53 }]

/** Puts together what works on the kernel's tables of a node, from what was known last or from the API. */
export async function openPacketPlane(options: PacketPlaneOptions): Promise<PacketPlane> {
  const sources = await openPacketSources(options)
  let tellAdopted: () => void = () => {}
  const adopted = new Promise<void>((resolve) => (tellAdopted = resolve))
  const enforcer = openEnforcer(options, sources, adopted)
  const kernelCounters = openPacketCounters({ clock: options.clock })
  showPacketCounters(options.metrics, kernelCounters, (device) => !isPodDevice(device))
  const serviceRanges = (): readonly string[] => serviceRangesOf(sources.serviceCIDRs.list.list())
  const dns = createNodeDns({ ...options, listen: DNS_LISTEN, domain: DOMAIN, reverseRanges: serviceRanges })
  let services: KernelServices | undefined
  return {
    protection: enforcer,
    resolvConfOf: (pod) => dns.resolvConfOf(pod),
    serve(lists) {
      const { services: serviceList, known, report } = lists
      void lists.adopted.then(tellAdopted)
      services = new KernelServices({
        ...options,
        nodes: options.nodes.list,
        services: serviceList,
        endpointSlices: dns.withLocalSlices(lists.endpointSlices),
        serviceCIDRs: sources.serviceCIDRs,
        known: Promise.all([known, options.nodes.known]),
        report,
      })
    },
    paths: () =>
      packetPaths({
        node: options.name,
        services: () => services?.table(),
        policies: () => enforcer.policy(),
        counters: () => enforcer.counters(),
        denials: () => enforcer.recent(),
        refusals: async () => (await services?.refusals()) ?? [],
        kernelCounters: () => kernelCounters.read(),
        route: readRoute,
        router: async (target, signal) => {
          const socket = routerSocketPath(options.dataDir, options.name)
          if (!existsSync(socket)) throw new Error('it does not run: no Router or StaticRoute selects this node')
          return await askSocket(socket, target, signal)
        },
      }),
    applied: () => [servicesApplied(services), policiesApplied(enforcer)],
    async run(signal) {
      const lists = [sources.pods, sources.namespaces, sources.networkPolicies, sources.clusterNetworkPolicies, sources.serviceCIDRs]
      try {
        await Promise.all([
          ...lists.map((source) => source.run(signal)),
          enforcer.run(signal),
          services?.run(signal),
          runDns(dns, sources, signal),
          superviseRouter(options, signal),
        ])
      } finally {
        kernelCounters.close()
      }
    },
    async remove() {
      for (const family of ['ip', 'ip6']) await options.nft.run(removeTable(family, SERVICE_TABLE))
      await options.nft.run(removeTable(FILTER_FAMILY, FILTER_TABLE))
    },
  }
}

/** @param adopted until then the kernel may judge more pods than are known here */
function openEnforcer(options: PacketPlaneOptions, sources: PacketSources, adopted: Promise<void>): PolicyEnforcer {
  const { nodes, name, nft, clock, log, metrics } = options
  const { pods, namespaces, networkPolicies, clusterNetworkPolicies } = sources
  return new PolicyEnforcer({
    pods: pods.list,
    namespaces: namespaces.list,
    networkPolicies: networkPolicies.list,
    clusterNetworkPolicies: clusterNetworkPolicies.list,
    nodes: nodes.list,
    known: Promise.all([
      adopted,
      freshOrKept([pods, namespaces, networkPolicies, clusterNetworkPolicies, nodes], { clock, withinMs: API_FIRST_MS }),
    ]),
    kept: () => Promise.all([namespaces, networkPolicies, clusterNetworkPolicies].map(({ list }) => list.flush())),
    node: name,
    nft,
    openLog: deniedPackets,
    clock,
    log,
    metrics,
  })
}

function servicesApplied(services: KernelServices | undefined): AppliedReport {
  const revision = services?.appliedRevision()
  return { component: 'services', ...(revision === undefined ? {} : { revision: String(revision) }) }
}

function policiesApplied(enforcer: PolicyEnforcer): AppliedReport {
  const { applied, refused } = enforcer.state()
  return {
    component: 'policies',
    ...(applied === undefined ? {} : { revision: applied }),
    ...(refused ? { refused: { revision: refused.revision, reason: refused.message } } : {}),
  }
}

/** What rules tell of packets. */
function deniedPackets(signal: AbortSignal): AsyncIterable<LoggedPacket> {
  const packets = openNflog({ group: LOG_GROUP })
  signal.addEventListener('abort', () => packets.close(), { once: true })
  return packets
}

/** Its flags name the ranges of services, which must be known first. */
async function runDns(dns: NodeDns, { serviceCIDRs }: PacketSources, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  await Promise.race([serviceCIDRs.known, aborted])
  if (!signal.aborted) await dns.run(signal)
}

async function readRoute(address: string): ReturnType<typeof kernelRoute> {
  const socket = RouteSocket.open()
  try {
    return await kernelRoute(socket, address)
  } finally {
    socket.close()
  }
}

/** The first line makes it, so that the second cannot fail. */
const removeTable = (family: string, table: string): string => `table ${family} ${table}\ndelete table ${family} ${table}\n`
