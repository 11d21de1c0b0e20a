import { gatewayBindPort } from '../gateway-api/bind-port.ts'
import { compareHostnames, coversHostname } from '../gateway-api/hostnames.ts'
import type { GatewayListener, ProxyView, TrafficRoute } from '../input/index.ts'
import {
  originName,
  type FilterChain,
  type HttpConnectionManager,
  type Listener,
  type Origin,
  type TcpProxy,
  type VirtualHost,
} from '../model/index.ts'
import { gatewayListener, gatewayRoutes } from './names.ts'
import { firstTarget, virtualHosts, weightedBackends, type RouteParts } from './routes.ts'
import { oldest, serverNameChains } from './server-names.ts'

/** All listeners of a gateway, those of one port together. @param key `namespace/name` */
export function compileGateway(key: string, parts: RouteParts): void {
  const { effects, out } = parts
  const name = key.slice(key.indexOf('/') + 1)
  // Kuma's gateways are named without a namespace
  const sections = effects.world.gateways.filter(
    ({ gateway }) => gateway.name === name && (gateway.namespace === '' || `${gateway.namespace}/${name}` === key),
  )
  for (const port of new Set(sections.map((section) => section.port))) {
    const own = sections.filter((section) => section.port === port)
    out.guard(
      () => [...new Set(own.map(({ origin }) => origin))],
      `port ${port}`,
      () => compilePort(key, port, own, parts),
    )
  }
}

function compilePort(key: string, port: number, sections: readonly GatewayListener[], parts: RouteParts): void {
  const origins = new Set(sections.map(({ origin }) => origin))
  const plain = sections.filter(({ protocol }) => protocol === 'http')
  const chains = [
    ...sections.filter((section) => !plain.includes(section)).flatMap((section) => sectionChains(key, section, parts, origins)),
    ...(plain.length > 0 ? [plainChain(key, port, plain, parts, origins)] : []),
  ].sort((a, b) => compareHostnames(serverNameOf(a), serverNameOf(b)))
  const listener: Listener = {
    name: gatewayListener(key, port),
    direction: 'gateway',
    address: { address: bindAddress(parts.effects.proxy), port: gatewayBindPort(port) },
    protocol: sections.some(({ tls }) => tls) ? 'tls' : plain.length > 0 ? 'http' : 'tcp',
    chains: chains.map((chain) => parts.effects.gatewayChain(chain, { port, name: chain.name }, origins)),
  }
  parts.out.add('listener', listener, origins)
}

/** Where pods share the loopback network, each has an address of its own, and the ports of all others are others' business. */
function bindAddress({ ips }: ProxyView): string {
  const [primary = ''] = ips
  return primary.startsWith('127.') ? primary : '::'
}

const serverNameOf = ({ match }: FilterChain): string => match.serverNames?.[0] ?? '*'
const hostOf = ({ hostname = '*' }: GatewayListener): string => hostname

/**
 * HTTP of all sections of a port is one chain: which section is meant, the host says. A host belongs to the section that names it most exactly, with routes for
 * it or without. Source: Gateway API, listener isolation.
 */
function plainChain(key: string, port: number, sections: readonly GatewayListener[], parts: RouteParts, origins: Set<Origin>): FilterChain {
  const name = gatewayRoutes(key, port, 'http')
  const hosts = new Map<string, VirtualHost>()
  const sorted = sections.toSorted((a, b) => compareHostnames(hostOf(a), hostOf(b)))
  for (const [i, section] of sorted.entries()) {
    const isOthers = ({ name: host }: VirtualHost): boolean => sorted.slice(0, i).some((other) => coversHostname(hostOf(other), host))
    for (const host of hostsOf(section, parts, origins)) if (!hosts.has(host.name) && !isOthers(host)) hosts.set(host.name, host)
    const own = hostOf(section)
    if (own !== '*' && !hosts.has(own)) hosts.set(own, { name: own, domains: [own], routes: [] })
  }
  parts.out.add('route', { name, virtualHosts: [...hosts.values()] }, origins)
  return { name: 'http', match: { transport: ['plaintext'] }, http: manager(key, port, name) }
}

function sectionChains(key: string, section: GatewayListener, parts: RouteParts, origins: Set<Origin>): readonly FilterChain[] {
  const { port, protocol, tls, hostname } = section
  if (protocol === 'https' && tls) {
    const name = gatewayRoutes(key, port, section.section)
    parts.out.add('route', { name, virtualHosts: hostsOf(section, parts, origins) }, origins)
    addSecrets(section, parts)
    const names = hostname === undefined ? {} : { serverNames: [hostname] }
    return [{ name: section.section, match: { ...names, transport: ['tls', 'mesh'] }, tls, http: manager(key, port, name) }]
  }
  const routes = attached(section, parts.effects.world.routes)
  const tcpRoutes = routes.filter(({ kind }) => kind === 'tcp')
  if (protocol === 'tls' && tls) {
    addSecrets(section, parts)
    // routes of bytes know no names: they have what the listener has
    const tcp = tls.mode === 'terminate' ? oldest(tcpRoutes) : undefined
    const named = [...routes.filter(({ kind }) => kind === 'tls'), ...(tcp ? [{ ...tcp, hostnames: [] }] : [])]
    const chains = serverNameChains(named, hostname).map(({ name, serverNames, route }): FilterChain => ({
      name: `${section.section}|${name}`,
      match: { ...(serverNames.length > 0 ? { serverNames } : {}), transport: ['tls', 'mesh'] },
      tls,
      tcp: tcpProxy(key, port, tls.mode === 'passthrough' ? untouched(route) : route, parts, origins),
    }))
    if (hostname === undefined || chains.some(({ match }) => match.serverNames?.includes(hostname))) return chains
    // names of this section that no route takes are refused, not given to a section that names them less exactly
    const nowhere: TcpProxy = { statPrefix: statPrefix(key, port), clusters: [], accessLogs: [] }
    return [
      ...chains,
      { name: section.section, match: { serverNames: [hostname], transport: ['tls', 'mesh'] }, tls: { mode: 'passthrough' }, tcp: nowhere },
    ]
  }
  const route = oldest(tcpRoutes)
  return route ? [{ name: section.section, match: {}, tcp: tcpProxy(key, port, route, parts, origins) }] : []
}

function hostsOf(section: GatewayListener, parts: RouteParts, origins: Set<Origin>): VirtualHost[] {
  const routes = attached(section, parts.effects.world.routes).filter(({ kind }) => kind === 'http' || kind === 'grpc')
  return virtualHosts(routes, parts, {
    origins,
    gatewayPort: section.port,
    ...(section.hostname === undefined ? {} : { hostname: section.hostname }),
  })
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
  return { statPrefix: statPrefix(key, port), routes, filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: true }
}

const statPrefix = (key: string, port: number): string => `gateway_${key.replace('/', '_')}_${port}`

/** What clients have encrypted for a backend is not encrypted again, whatever a BackendTLSPolicy says of what is sent in plain text. */
function untouched(route: TrafficRoute): TrafficRoute {
  const rules = route.rules.map((rule) => ({ ...rule, backends: rule.backends.map(({ tls: _tls, ...backend }) => backend) }))
  return { ...route, rules }
}

function tcpProxy(key: string, port: number, route: TrafficRoute, parts: RouteParts, origins: Set<Origin>): TcpProxy {
  const [rule] = route.rules
  origins.add(route.origin)
  const plain: TcpProxy = {
    statPrefix: statPrefix(key, port),
    clusters: weightedBackends(rule?.backends ?? [], parts.clusters),
    accessLogs: [],
    route: originName(route.origin),
  }
  const target = firstTarget(rule, parts)
  return target ? parts.effects.outboundTcp(plain, target.service, target.port, origins) : plain
}

function addSecrets({ tls }: GatewayListener, { effects, out }: RouteParts): void {
  if (tls?.mode !== 'terminate') return
  for (const name of [...tls.certificates, ...(tls.clientCa === undefined ? [] : [tls.clientCa])]) {
    const secret = effects.world.secrets.get(name)
    if (secret) out.add('secret', secret)
  }
}
