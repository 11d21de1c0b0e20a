import type { MeshServiceView, ProxyView, ServicePortView, TrafficRoute } from '../input/index.ts'
import { selectsProxy } from '../kuma/merging.ts'
import {
  outboundName,
  type FilterChain,
  type HttpConnectionManager,
  type Listener,
  type Origin,
  type RouteConfiguration,
  type SocketAddress,
  type TcpProxy,
  type VirtualHost,
} from '../model/index.ts'
import { clusterName, outboundRoutes } from './names.ts'
import { defaultRoute, virtualHosts, type RouteParts } from './routes.ts'

/** Routes that concern calls of a proxy to a port of a service. Consumer routes, where there are any, take the place of the producer's. Source: GEP-1426. */
export function routesFor(
  routes: readonly TrafficRoute[],
  service: MeshServiceView,
  port: ServicePortView,
  proxy: Pick<ProxyView, 'namespace'> & ProxyView,
): readonly TrafficRoute[] {
  const found = routes.flatMap((route) =>
    route.parents.flatMap((parent) => {
      if (parent.type !== 'service' || parent.namespace !== service.namespace || parent.name !== service.name) return []
      if (parent.port !== undefined && parent.port !== port.port) return []
      if (parent.consumers !== undefined && parent.consumers !== proxy.namespace) return []
      if (parent.proxies && !selectsProxy(parent.proxies, proxy)) return []
      return [{ route, isConsumer: parent.consumers !== undefined }]
    }),
  )
  const consumers = found.filter(({ isConsumer }) => isConsumer)
  const chosen = consumers.length > 0 ? consumers : found
  return [...new Set(chosen.map(({ route }) => route))]
}

/** All that a proxy needs to call one port of a service. */
export function compileOutbound(service: MeshServiceView, port: ServicePortView, parts: RouteParts): void {
  const { effects, out } = parts
  const routes = routesFor(effects.world.routes, service, port, effects.proxy)
  const http = port.protocol === 'http' || port.protocol === 'http2' || port.protocol === 'grpc' || port.protocol === 'auto'
  const origins = new Set<Origin>()
  if (http) compileRoutes(service, port, routes, parts)
  const chains = chainsOf(service, port, routes, parts, origins)
  for (const address of addressesOf(service, port)) {
    const listener: Listener = {
      name: outboundName(address.address, address.port),
      direction: 'outbound',
      address,
      service: { namespace: service.namespace, name: service.name, port: port.port },
      protocol: port.protocol,
      chains,
    }
    out.add('listener', listener, origins)
  }
}

/** What clients dial: the service's addresses, or for a headless one its endpoints. */
function addressesOf(service: MeshServiceView, port: ServicePortView): readonly SocketAddress[] {
  if (service.headless && service.kind === 'Service') return port.endpoints.map(({ address }) => address)
  return service.vips.map((address) => ({ address, port: port.port }))
}

function compileRoutes(service: MeshServiceView, port: ServicePortView, all: readonly TrafficRoute[], parts: RouteParts): void {
  const routes = all.filter(({ kind }) => kind === 'http' || kind === 'grpc')
  const origins = new Set<Origin>()
  const own = { service, port }
  const hosts = virtualHosts(routes, parts, { own, origins })
  const passesThrough = routes.every(({ unmatched }) => unmatched === 'passThrough')
  const rest = passesThrough ? [defaultRoute(own, parts, origins)] : []
  const configuration: RouteConfiguration = {
    name: outboundRoutes(service.namespace, service.name, port.port),
    virtualHosts: withRest(hosts, rest),
  }
  parts.out.add('route', configuration, origins)
}

/** What no rule takes goes on to the service itself where the routes say so. */
function withRest(hosts: readonly VirtualHost[], rest: VirtualHost['routes']): readonly VirtualHost[] {
  if (rest.length === 0) return hosts
  const extended = hosts.map((host) => ({ ...host, routes: [...host.routes, ...rest] }))
  return hosts.some(({ domains }) => domains.includes('*')) ? extended : [...extended, { name: '*', domains: ['*'], routes: rest }]
}

function chainsOf(
  service: MeshServiceView,
  port: ServicePortView,
  routes: readonly TrafficRoute[],
  parts: RouteParts,
  origins: Set<Origin>,
): readonly FilterChain[] {
  const { effects } = parts
  const statPrefix = `outbound_${clusterName(service.namespace, service.name, port.port)}`
  const http = (): HttpConnectionManager =>
    effects.outboundHttp(
      {
        statPrefix,
        routes: outboundRoutes(service.namespace, service.name, port.port),
        filters: [],
        timeouts: {},
        accessLogs: [],
        appendForwardedFor: false,
      },
      service,
      port,
      origins,
    )
  const tcp = (kind: 'tcp' | 'tls'): TcpProxy =>
    effects.outboundTcp(
      tcpProxy(
        statPrefix,
        service,
        port,
        routes.find((route) => route.kind === kind) ?? routes.find((route) => route.kind === 'tcp'),
        parts,
        origins,
      ),
      service,
      port,
      origins,
    )
  switch (port.protocol) {
    case 'http':
    case 'http2':
    case 'grpc':
      return [{ name: 'http', match: {}, http: http() }]
    case 'tcp':
      return [{ name: 'tcp', match: {}, tcp: tcp('tcp') }]
    case 'tls':
      return [...tlsChains(statPrefix, service, port, routes, parts, origins), { name: 'tls', match: {}, tcp: tcp('tcp') }]
    case 'auto':
      return [
        { name: 'plain', match: { transport: ['plaintext'] }, http: http(), tcp: tcp('tcp') },
        { name: 'opaque', match: {}, tcp: tcp('tcp') },
      ]
  }
}

/** Chains of TLS routes by server name. */
function tlsChains(
  statPrefix: string,
  service: MeshServiceView,
  port: ServicePortView,
  routes: readonly TrafficRoute[],
  parts: RouteParts,
  origins: Set<Origin>,
): readonly FilterChain[] {
  return routes
    .filter(({ kind, hostnames }) => kind === 'tls' && hostnames.length > 0)
    .map((route) => ({
      name: `tls|${route.origin.namespace}/${route.origin.name}`,
      match: { serverNames: route.hostnames, transport: ['tls'] },
      tcp: tcpProxy(statPrefix, service, port, route, parts, origins),
    }))
}

function tcpProxy(
  statPrefix: string,
  service: MeshServiceView,
  port: ServicePortView,
  route: TrafficRoute | undefined,
  { clusters }: RouteParts,
  origins: Set<Origin>,
): TcpProxy {
  const rule = route?.rules[0]
  if (route) origins.add(route.origin)
  const backends = (rule?.backends ?? [])
    .filter(({ weight }) => weight > 0)
    .map((backend) => ({ name: clusters.ofBackend(backend), weight: backend.weight }))
  const isOwn = !rule || rule.backends.length === 0
  return {
    statPrefix,
    clusters: isOwn ? [{ name: clusters.ofPort(service, port), weight: 1 }] : backends,
    accessLogs: [],
    ...(route ? { route: `${route.origin.kind}/${route.origin.namespace}/${route.origin.name}` } : {}),
  }
}
