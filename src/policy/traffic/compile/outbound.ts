import { serviceKey, type MeshServiceView, type ProxyView, type ServicePortView, type TrafficRoute } from '../input/index.ts'
import { selectsProxy } from '../kuma/merging.ts'
import {
  originName,
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
import { outboundRoutes, outboundStats } from './names.ts'
import { defaultRoute, ownCluster, virtualHosts, weightedBackends, type RouteParts, type RouteTarget } from './routes.ts'
import { oldest, serverNameChains } from './server-names.ts'

const indexes = new WeakMap<readonly TrafficRoute[], ReadonlyMap<string, readonly TrafficRoute[]>>()

function byService(routes: readonly TrafficRoute[]): ReadonlyMap<string, readonly TrafficRoute[]> {
  const known = indexes.get(routes)
  if (known) return known
  const made = new Map<string, TrafficRoute[]>()
  for (const route of routes) {
    const keys = route.parents.flatMap((parent) => (parent.type === 'service' ? [serviceKey(parent.namespace, parent.name)] : []))
    for (const key of new Set(keys)) made.set(key, [...(made.get(key) ?? []), route])
  }
  indexes.set(routes, made)
  return made
}

/** Routes that concern calls of a proxy to a port of a service. Consumer routes, where there are any, take the place of the producer's. Source: GEP-1426. */
export function routesFor(
  routes: readonly TrafficRoute[],
  service: MeshServiceView,
  port: ServicePortView,
  proxy: ProxyView,
): readonly TrafficRoute[] {
  const found = (byService(routes).get(serviceKey(service.namespace, service.name)) ?? []).flatMap((route) =>
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
  const { effects } = parts
  const routes = routesFor(effects.world.routes, service, port, effects.proxy)
  const { namespace, name } = service
  if (!service.headless || service.kind !== 'Service') {
    const listener = listenerOf({ service, port }, routes, parts)
    for (const address of service.vips) listener({ address, port: port.port }, outboundName(address, port.port))
  } else if (effects.proxy.dataPlane === 'grpc') {
    // gRPC dials names and chooses among the endpoints itself
    listenerOf({ service, port }, routes, parts)({ address: '0.0.0.0', port: port.port }, `outbound|${name}.${namespace}|${port.port}`)
  } else {
    // whoever dials an endpoint of a headless service means that one
    for (const endpoint of port.endpoints) {
      const { address } = endpoint
      listenerOf({ service, port, endpoint }, routes, parts)(address, outboundName(address.address, address.port))
    }
  }
}

function listenerOf(
  target: RouteTarget,
  routes: readonly TrafficRoute[],
  parts: RouteParts,
): (address: SocketAddress, name: string) => void {
  const { service, port } = target
  const http = routes.filter(({ kind }) => kind === 'http' || kind === 'grpc')
  // routes of bytes alone make bytes of a port, whatever it speaks. Source: GEP-1426, MeshTCPRoute
  const asBytes = http.length === 0 && routes.some(({ kind }) => kind === 'tcp')
  const hasHttp = port.protocol !== 'tcp' && port.protocol !== 'tls' && !asBytes
  const origins = new Set<Origin>()
  if (hasHttp) compileRoutes(target, http, parts)
  const chains = chainsOf(target, hasHttp, routes, parts, origins)
  return (address, name) => {
    const listener: Listener = {
      name,
      direction: 'outbound',
      address,
      service: { namespace: service.namespace, name: service.name, port: port.port },
      protocol: asBytes && port.protocol !== 'tls' ? 'tcp' : port.protocol,
      chains,
    }
    parts.out.add('listener', listener, origins)
  }
}

const routesName = ({ service, port, endpoint }: RouteTarget): string =>
  outboundRoutes(service.namespace, service.name, port.port, endpoint && `|${endpoint.address.address}|${endpoint.address.port}`)

function compileRoutes(own: RouteTarget, routes: readonly TrafficRoute[], parts: RouteParts): void {
  const origins = new Set<Origin>()
  const hosts = virtualHosts(routes, parts, { own, origins })
  const passesThrough = routes.every(({ unmatched }) => unmatched === 'passThrough')
  const rest = passesThrough ? [defaultRoute(own, parts, origins)] : []
  const configuration: RouteConfiguration = { name: routesName(own), virtualHosts: withRest(hosts, rest) }
  parts.out.add('route', configuration, origins)
}

/** What no rule takes goes on to the service itself where the routes say so. */
function withRest(hosts: readonly VirtualHost[], rest: VirtualHost['routes']): readonly VirtualHost[] {
  if (rest.length === 0) return hosts
  const extended = hosts.map((host) => ({ ...host, routes: [...host.routes, ...rest] }))
  return hosts.some(({ domains }) => domains.includes('*')) ? extended : [...extended, { name: '*', domains: ['*'], routes: rest }]
}

function chainsOf(
  target: RouteTarget,
  hasHttp: boolean,
  routes: readonly TrafficRoute[],
  parts: RouteParts,
  origins: Set<Origin>,
): readonly FilterChain[] {
  const { effects } = parts
  const { service, port } = target
  const statPrefix = outboundStats(service.namespace, service.name, port.port)
  const http = (): HttpConnectionManager =>
    effects.outboundHttp(
      { statPrefix, routes: routesName(target), filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false },
      service,
      port,
      origins,
    )
  const tcp = (route: TrafficRoute | undefined): TcpProxy =>
    effects.outboundTcp(tcpProxy(statPrefix, target, route, parts, origins), service, port, origins)
  const tcpRoute = oldest(routes.filter(({ kind }) => kind === 'tcp'))
  if (port.protocol === 'tls') {
    const byName = routes.filter(({ kind, hostnames }) => kind === 'tls' && hostnames.length > 0)
    const rest = oldest(routes.filter(({ kind, hostnames }) => kind === 'tls' && hostnames.length === 0)) ?? tcpRoute
    // names that no route has go to the service itself only where no route stands before it
    const refused = byName.length > 0 && !rest
    return [
      ...serverNameChains(byName).map(({ name, serverNames, route }) => ({
        name,
        match: { serverNames, transport: ['tls' as const] },
        tcp: tcp(route),
      })),
      ...(refused ? [] : [{ name: 'tls', match: {}, tcp: tcp(rest) }]),
    ]
  }
  if (!hasHttp) return [{ name: 'tcp', match: {}, tcp: tcp(tcpRoute) }]
  if (port.protocol !== 'auto') return [{ name: 'http', match: {}, http: http() }]
  return [
    { name: 'plain', match: { transport: ['plaintext'] }, http: http(), tcp: tcp(tcpRoute) },
    { name: 'opaque', match: {}, tcp: tcp(tcpRoute) },
  ]
}

function tcpProxy(
  statPrefix: string,
  target: RouteTarget,
  route: TrafficRoute | undefined,
  { clusters }: RouteParts,
  origins: Set<Origin>,
): TcpProxy {
  const rule = route?.rules[0]
  if (route) origins.add(route.origin)
  const isOwn = !rule || rule.backends.length === 0
  return {
    statPrefix,
    clusters: isOwn ? [{ name: ownCluster(target, clusters), weight: 1 }] : weightedBackends(rule.backends, clusters),
    accessLogs: [],
    ...(route ? { route: originName(route.origin) } : {}),
  }
}
