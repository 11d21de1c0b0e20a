/**
 * Which destinations outside of the mesh may be called. Everything that goes to no service reaches the listener `outbound|*`: its chains let pass what is
 * matched, by server name, by host of a request, or by address; the rest is closed.
 */
import type { PolicyPlugin } from '../../input/index.ts'
import {
  OUTBOUND_ANY,
  type Cluster,
  type FilterChain,
  type HttpConnectionManager,
  type Listener,
  type RouteConfiguration,
  type TcpProxy,
} from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface Match {
  readonly type: 'Domain' | 'IP' | 'CIDR'
  readonly value: string
  readonly port?: number
  readonly protocol?: 'tcp' | 'tls' | 'grpc' | 'http' | 'http2' | 'mysql'
}

export interface PassthroughConf {
  readonly passthroughMode?: 'All' | 'Matched' | 'None'
  readonly appendMatch?: readonly Match[]
}

/** Cluster of destinations as they were dialled, for bytes and for requests. */
export const PASSTHROUGH_CLUSTER = 'passthrough'

/** Lists of several policies are put together, as the field's name says. */
export const meshPassthrough: PolicyPlugin<PassthroughConf> = {
  type: 'MeshPassthrough',
  merge: (confs) => ({ ...mergeConfs(confs), appendMatch: confs.flatMap(({ appendMatch = [] }) => appendMatch) }),
  closed: () => ({ passthroughMode: 'None' }),
  proxy: (conf, settings) => ({ ...settings, passthrough: modeOf(conf) }),
  extra(conf) {
    const mode = modeOf(conf)
    if (mode === 'none') return { listeners: [], clusters: [] }
    const routes = new Map<string, RouteConfiguration>()
    const chains = mode === 'all' ? [tcpChain('all', {})] : matchedChains(conf.appendMatch ?? [], routes)
    if (chains.length === 0) return { listeners: [], clusters: [] }
    const listener: Listener = {
      name: OUTBOUND_ANY,
      direction: 'outbound',
      address: { address: '0.0.0.0', port: 0 },
      protocol: mode === 'all' ? 'tcp' : 'auto',
      chains,
    }
    return { listeners: [listener], clusters: [CLUSTER], routes: [...routes.values()] }
  },
}

const CLUSTER: Cluster = {
  name: PASSTHROUGH_CLUSTER,
  discovery: { type: 'originalDestination' },
  protocol: 'mirror',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
}

function modeOf({ passthroughMode = 'None' }: PassthroughConf): 'all' | 'none' | 'matched' {
  return ({ All: 'all', Matched: 'matched', None: 'none' } as const)[passthroughMode]
}

function matchedChains(matches: readonly Match[], routes: Map<string, RouteConfiguration>): readonly FilterChain[] {
  const chains = new Map<string, FilterChain>()
  const add = (chain: FilterChain): void => void chains.set(chain.name, chain)
  // hosts of requests on one port share a chain: which host is meant is known after the connection is taken
  const hosts = new Map<string, { readonly port: number | undefined; readonly domains: string[] }>()
  for (const { type, value, port, protocol = 'tcp' } of matches) {
    const at = port === undefined ? {} : { destinationPort: port }
    const isHttp = protocol === 'http' || protocol === 'http2' || protocol === 'grpc'
    const name = `${protocol}|${value}|${port ?? '*'}`
    if (type === 'Domain' && isHttp) {
      const of = hosts.get(String(port)) ?? { port, domains: [] }
      if (!of.domains.includes(value.toLowerCase())) of.domains.push(value.toLowerCase())
      hosts.set(String(port), of)
    } else if (type === 'Domain') {
      if (protocol === 'tls') add(tcpChain(name, { ...at, serverNames: [value.toLowerCase()], transport: ['tls'] }))
    } else {
      const destinations = [type === 'CIDR' ? value : `${value}/${value.includes(':') ? 128 : 32}`]
      add(
        isHttp
          ? httpChain(name, { ...at, destinations }, ['*'], routes)
          : tcpChain(name, { ...at, destinations, ...(protocol === 'tls' ? { transport: ['tls'] as const } : {}) }),
      )
    }
  }
  for (const { port, domains } of hosts.values()) {
    add(
      httpChain(
        `http|${port ?? '*'}`,
        { transport: ['plaintext'], ...(port === undefined ? {} : { destinationPort: port }) },
        domains,
        routes,
      ),
    )
  }
  return [...chains.values()].sort((a, b) => exactness(b) - exactness(a))
}

// addresses first, then server names, exact ones before wildcards, then hosts of requests; a port adds to each
function exactness({ match }: FilterChain): number {
  const [name] = match.serverNames ?? []
  const bits = Number(match.destinations?.[0]?.split('/')[1] ?? 0)
  const base = match.destinations ? 10_000 + bits * 10 : name === undefined ? 0 : name.startsWith('*.') ? 1000 + name.length * 10 : 9000
  return base + (match.destinationPort === undefined ? 0 : 1)
}

function tcpChain(name: string, match: FilterChain['match']): FilterChain {
  const tcp: TcpProxy = { statPrefix: 'passthrough', clusters: [{ name: PASSTHROUGH_CLUSTER, weight: 1 }], accessLogs: [] }
  return { name, match, tcp }
}

function httpChain(
  name: string,
  match: FilterChain['match'],
  domains: readonly string[],
  routes: Map<string, RouteConfiguration>,
): FilterChain {
  const id = `${OUTBOUND_ANY}|${name}`
  routes.set(id, {
    name: id,
    virtualHosts: [
      {
        name: id,
        domains,
        routes: [
          { name: id, match: {}, action: { type: 'forward', clusters: [{ cluster: PASSTHROUGH_CLUSTER, weight: 1 }], timeoutMs: 0 } },
        ],
      },
    ],
  })
  const http: HttpConnectionManager = {
    statPrefix: 'passthrough',
    routes: id,
    filters: [],
    timeouts: {},
    accessLogs: [],
    appendForwardedFor: false,
  }
  return { name, match, http }
}
