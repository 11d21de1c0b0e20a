import { gatewayBindPort } from '../gateway-api/bind-port.ts'
import type { GatewayListener, TrafficRoute } from '../input/index.ts'
import type { FilterChain, HttpConnectionManager, Listener, Origin, TcpProxy, VirtualHost } from '../model/index.ts'
import { gatewayListener, gatewayRoutes } from './names.ts'
import { virtualHosts, type RouteParts } from './routes.ts'

/** All listeners of a gateway, those of one port together. @param key `namespace/name` */
export function compileGateway(key: string, parts: RouteParts): void {
  const { effects, out } = parts
  const sections = effects.world.gateways.filter(({ gateway }) => `${gateway.namespace}/${gateway.name}` === key)
  for (const port of new Set(sections.map((section) => section.port))) {
    out.guard(
      () => sections.map(({ origin }) => origin),
      `port ${port}`,
      () =>
        compilePort(
          key,
          port,
          sections.filter((section) => section.port === port),
          parts,
        ),
    )
  }
}

function compilePort(key: string, port: number, sections: readonly GatewayListener[], parts: RouteParts): void {
  const origins = new Set(sections.map(({ origin }) => origin))
  const plain = sections.filter(({ protocol }) => protocol === 'http')
  const chains = [
    ...sections.filter((section) => !plain.includes(section)).flatMap((section) => sectionChains(key, section, parts, origins)),
    ...(plain.length > 0 ? [plainChain(key, port, plain, parts, origins)] : []),
  ].sort((a, b) => exactness(b) - exactness(a))
  const listener: Listener = {
    name: gatewayListener(key, port),
    direction: 'gateway',
    address: { address: '::', port: gatewayBindPort(port) },
    protocol: sections.some(({ tls }) => tls) ? 'tls' : plain.length > 0 ? 'http' : 'tcp',
    chains,
  }
  parts.out.add('listener', listener, origins)
}

/** HTTP of all sections of a port is one chain: which section is meant, the host says. */
function plainChain(key: string, port: number, sections: readonly GatewayListener[], parts: RouteParts, origins: Set<Origin>): FilterChain {
  const name = gatewayRoutes(key, port, 'http')
  const hosts = new Map<string, VirtualHost>()
  // the section with the most exact host name takes a host first
  for (const section of sections.toSorted((a, b) => hostExactness(b.hostname) - hostExactness(a.hostname))) {
    for (const host of hostsOf(section, parts, origins)) if (!hosts.has(host.name)) hosts.set(host.name, host)
  }
  parts.out.add('route', { name, virtualHosts: [...hosts.values()] }, origins)
  return { name: 'http', match: { transport: ['plaintext'] }, http: manager(key, port, name) }
}

function sectionChains(key: string, section: GatewayListener, parts: RouteParts, origins: Set<Origin>): readonly FilterChain[] {
  const { port, protocol, tls, hostname } = section
  const names = hostname === undefined ? {} : { serverNames: [hostname] }
  if (protocol === 'https' && tls) {
    const name = gatewayRoutes(key, port, section.section)
    parts.out.add('route', { name, virtualHosts: hostsOf(section, parts, origins) }, origins)
    addSecrets(section, parts)
    return [{ name: section.section, match: { ...names, transport: ['tls', 'mesh'] }, tls, http: manager(key, port, name) }]
  }
  const routes = attached(section, parts.effects.world.routes)
  if (protocol === 'tls' && tls) {
    addSecrets(section, parts)
    return routes
      .filter(({ kind }) => kind === 'tls' || (kind === 'tcp' && tls.mode === 'terminate'))
      .map((route) => {
        const own = route.hostnames.filter((host) => hostname === undefined || host === hostname || inWildcard(host, hostname))
        const serverNames = own.length > 0 ? { serverNames: own } : names
        return {
          name: `${section.section}|${route.origin.name}`,
          match: { ...serverNames, transport: ['tls', 'mesh'] },
          tls,
          tcp: tcpProxy(key, port, route, parts, origins),
        }
      })
  }
  const [route] = routes.filter(({ kind }) => kind === 'tcp')
  return route ? [{ name: section.section, match: {}, tcp: tcpProxy(key, port, route, parts, origins) }] : []
}

const inWildcard = (host: string, wildcard: string): boolean => wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1))

function hostsOf(section: GatewayListener, parts: RouteParts, origins: Set<Origin>): VirtualHost[] {
  const routes = attached(section, parts.effects.world.routes).filter(({ kind }) => kind === 'http' || kind === 'grpc')
  return virtualHosts(routes, parts, { origins, ...(section.hostname === undefined ? {} : { hostname: section.hostname }) })
}

/** Routes that hang on a section. */
function attached(section: GatewayListener, routes: readonly TrafficRoute[]): readonly TrafficRoute[] {
  const { gateway, section: name, port } = section
  return routes.filter(({ parents }) =>
    parents.some(
      (parent) =>
        parent.type === 'gateway' &&
        parent.namespace === gateway.namespace &&
        parent.name === gateway.name &&
        (parent.section === undefined || parent.section === name) &&
        (parent.port === undefined || parent.port === port),
    ),
  )
}

function manager(key: string, port: number, routes: string): HttpConnectionManager {
  return {
    statPrefix: `gateway_${key.replace('/', '_')}_${port}`,
    routes,
    filters: [],
    timeouts: {},
    accessLogs: [],
    appendForwardedFor: true,
  }
}

function tcpProxy(key: string, port: number, route: TrafficRoute, { clusters }: RouteParts, origins: Set<Origin>): TcpProxy {
  origins.add(route.origin)
  const backends = route.rules[0]?.backends ?? []
  return {
    statPrefix: `gateway_${key.replace('/', '_')}_${port}`,
    clusters: backends.filter(({ weight }) => weight > 0).map((backend) => ({ name: clusters.ofBackend(backend), weight: backend.weight })),
    accessLogs: [],
    route: `${route.origin.kind}/${route.origin.namespace}/${route.origin.name}`,
  }
}

function addSecrets({ tls }: GatewayListener, { effects, out }: RouteParts): void {
  if (tls?.mode !== 'terminate') return
  for (const name of [...tls.certificates, ...(tls.clientCa === undefined ? [] : [tls.clientCa])]) {
    const secret = effects.world.secrets.get(name)
    if (secret) out.add('secret', secret)
  }
}

/** Exact server names first, then wildcards by length, then the rest. */
function exactness({ match }: FilterChain): number {
  return Math.max(0, ...(match.serverNames ?? []).map((name) => hostExactness(name)))
}

function hostExactness(name: string | undefined): number {
  return name === undefined ? 0 : name.startsWith('*.') ? name.length : 1000 + name.length
}
