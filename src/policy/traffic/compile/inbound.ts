import type { MeshSettings, ProxyView } from '../input/index.ts'
import {
  INBOUND_ANY,
  inboundName,
  type Cluster,
  type FilterChain,
  type HttpConnectionManager,
  type Listener,
  type Origin,
  type RouteConfiguration,
  type TcpProxy,
} from '../model/index.ts'
import type { Collector } from './compiled.ts'
import type { Effects } from './effects.ts'
import { inboundCluster, inboundRoutes } from './names.ts'

/** What comes in at one port of a proxy's application. */
export function compileInbound(port: ProxyView['ports'][number], effects: Effects, out: Collector): void {
  const { proxy, world } = effects
  const origins = new Set<Origin>()
  const address = { address: proxy.ips[0] ?? '127.0.0.1', port: port.port }
  const all = effects.inbound(plainChains(port, world.mesh), port, origins)
  const isGrpc = proxy.dataPlane === 'grpc'
  // gRPC in the application is the server itself: there is nothing else that it could be told to do with a connection
  const chains = isGrpc ? all.flatMap(({ tcp: _tcp, ...chain }) => (chain.http ? [chain] : [])) : all
  if (isGrpc && chains.length === 0) return
  const [service] = port.services
  const listener: Listener = {
    name: inboundName(port.port),
    direction: 'inbound',
    address,
    ...(service ? { service } : {}),
    protocol: port.protocol,
    chains,
  }
  const cluster: Cluster = {
    name: inboundCluster(port.port),
    discovery: { type: 'static', addresses: [address] },
    protocol: CLUSTER_PROTOCOL[port.protocol],
    loadBalancer: { type: 'roundRobin' },
    limits: {},
    healthChecks: [],
  }
  const routes: RouteConfiguration = {
    name: inboundRoutes(port.port),
    virtualHosts: [
      {
        name: 'inbound',
        domains: ['*'],
        // the application's own time: callers have theirs
        routes: [
          { name: 'default', match: {}, action: { type: 'forward', clusters: [{ cluster: cluster.name, weight: 1 }], timeoutMs: 0 } },
        ],
      },
    ],
  }
  out.add('listener', listener, origins)
  if (isGrpc) return
  out.add('cluster', effects.inboundCluster(cluster, port, origins), origins)
  out.add('route', routes, origins)
}

/** No port of its own: policies that name one, or a service, do not mean it. */
const UNDECLARED: ProxyView['ports'][number] = { port: 0, name: '', protocol: 'tcp', services: [] }

/**
 * What comes in at all ports that neither the pod nor a service declares: bytes to the application, by the rules that hold for the whole proxy. gRPC inside of
 * an application serves what it has declared, and nothing else.
 */
export function compileUndeclared(effects: Effects, out: Collector): void {
  const { proxy, world } = effects
  if (proxy.dataPlane === 'grpc') return
  const origins = new Set<Origin>()
  const tcp: TcpProxy = { statPrefix: 'inbound_passthrough', clusters: [{ name: INBOUND_ANY, weight: 1 }], accessLogs: [] }
  const listener: Listener = {
    name: INBOUND_ANY,
    direction: 'inbound',
    address: { address: '0.0.0.0', port: 0 },
    protocol: 'tcp',
    chains: effects.inbound(chainsOf({ tcp }, tcp, world.mesh.mtls, false), UNDECLARED, origins),
  }
  const cluster: Cluster = {
    name: INBOUND_ANY,
    discovery: { type: 'originalDestination' },
    protocol: 'tcp',
    loadBalancer: { type: 'roundRobin' },
    limits: {},
    healthChecks: [],
  }
  out.add('listener', listener, origins)
  out.add('cluster', effects.inboundCluster(cluster, UNDECLARED, origins), origins)
}

const CLUSTER_PROTOCOL: Readonly<Record<Listener['protocol'], Cluster['protocol']>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'http2',
  tcp: 'tcp',
  tls: 'tcp',
  auto: 'mirror',
}

/** Before policies: connections of the mesh, plain text, and TLS of the application's own. */
function plainChains(port: ProxyView['ports'][number], { mtls, proxyless = false }: MeshSettings): readonly FilterChain[] {
  const statPrefix = `inbound_${port.port}`
  const http: HttpConnectionManager = {
    statPrefix,
    routes: inboundRoutes(port.port),
    filters: [],
    timeouts: {},
    accessLogs: [],
    appendForwardedFor: false,
  }
  const tcp: TcpProxy = { statPrefix, clusters: [{ name: inboundCluster(port.port), weight: 1 }], accessLogs: [] }
  const carried = port.protocol === 'tcp' || port.protocol === 'tls' ? { tcp } : port.protocol === 'auto' ? { http, tcp } : { http }
  // whoever says so of a port says that its application does not speak TLS itself
  return chainsOf(carried, tcp, mtls, proxyless && (port.protocol === 'grpc' || port.protocol === 'http2'))
}

function chainsOf(carried: Pick<FilterChain, 'http' | 'tcp'>, tcp: TcpProxy, mtls: boolean, proxyless: boolean): readonly FilterChain[] {
  return [
    ...(mtls
      ? [
          {
            name: 'mesh',
            match: { transport: ['mesh'] as const },
            tls: { mode: 'mesh' as const, ...(proxyless ? { proxyless } : {}) },
            ...carried,
          },
        ]
      : []),
    { name: 'plaintext', match: { transport: ['plaintext'] }, ...carried },
    { name: 'tls', match: { transport: ['tls'] }, tcp },
  ]
}
