/** Pieces of the intermediate form for tests with real peers. */
import {
  type AccessLog,
  DEFAULT_ACCESS_LOG_FORMAT,
  outboundName,
  type Cluster,
  type Endpoint,
  type FilterChain,
  type ForwardAction,
  type HttpConnectionManager,
  type Listener,
  type ProxySettings,
  type Route,
  type RouteConfiguration,
} from '../../src/policy/traffic/model/index.ts'
import type { EnvoyInput } from '../../src/control-plane/mesh/envoy/index.ts'

export const settings = (name: string, trust: ProxySettings['trust'] = {}): ProxySettings => ({
  name,
  trust,
  metrics: { profile: 'all', include: [], exclude: [], includeUnused: false, applications: [] },
  passthrough: 'none',
})

export const input = (parts: Partial<EnvoyInput> & { readonly settings: ProxySettings }): EnvoyInput => ({
  listeners: [],
  routes: [],
  clusters: [],
  endpoints: [],
  secrets: [],
  interception: 'none',
  place: { labels: {} },
  ...parts,
})

export const cluster = (name: string, parts: Partial<Cluster> = {}): Cluster => ({
  name,
  discovery: { type: 'eds', name },
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
  ...parts,
})

export const staticCluster = (name: string, port: number, parts: Partial<Cluster> = {}): Cluster =>
  cluster(name, { discovery: { type: 'static', addresses: [{ address: '127.0.0.1', port }] }, ...parts })

export const endpoint = (port: number, parts: Partial<Endpoint> = {}): Endpoint => ({
  address: { address: '127.0.0.1', port },
  state: 'ready',
  ...parts,
})

export const http = (routes: string, parts: Partial<HttpConnectionManager> = {}): HttpConnectionManager => ({
  statPrefix: 'test',
  routes,
  filters: [],
  timeouts: {},
  accessLogs: [],
  appendForwardedFor: false,
  ...parts,
})

export const outbound = (port: number, chain: Partial<FilterChain>, parts: Partial<Listener> = {}): Listener => ({
  name: outboundName('127.0.0.1', port),
  direction: 'outbound',
  address: { address: '127.0.0.1', port },
  protocol: 'http',
  chains: [{ name: 'default', match: {}, ...chain }],
  ...parts,
})

export const forward = (clusters: Readonly<Record<string, number>>, parts: Partial<ForwardAction> = {}): ForwardAction => ({
  type: 'forward',
  clusters: Object.entries(clusters).map(([name, weight]) => ({ cluster: name, weight })),
  ...parts,
})

export const route = (path: string, action: Route['action'], parts: Partial<Route> = {}): Route => ({
  name: `test${path}`,
  match: { path: { pathPrefix: path } },
  action,
  ...parts,
})

export const routesOf = (name: string, routes: readonly Route[], domains: readonly string[] = ['*']): RouteConfiguration => ({
  name,
  virtualHosts: [{ name: 'all', domains, routes }],
})

export const ACCESS_LOG: AccessLog = { name: 'log', sink: { type: 'stdout' }, format: { type: 'text', text: DEFAULT_ACCESS_LOG_FORMAT } }
