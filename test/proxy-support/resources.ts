/** Resources of the intermediate form, as the control plane compiles them. */
import {
  inboundName,
  outboundName,
  type Cluster,
  type ClusterLoadAssignment,
  type Endpoint,
  type FilterChain,
  type ForwardAction,
  type HttpConnectionManager,
  type Listener,
  type Protocol,
  type Rbac,
  type RouteConfiguration,
  type SocketAddress,
  type TcpProxy,
} from '../../src/policy/traffic/model/index.ts'

const hasHttp = (protocol: Protocol): boolean => protocol !== 'tcp' && protocol !== 'tls'

export const manager = (routes: string, parts: Partial<HttpConnectionManager> = {}): HttpConnectionManager => ({
  statPrefix: routes,
  routes,
  filters: [],
  timeouts: {},
  accessLogs: [],
  appendForwardedFor: false,
  ...parts,
})

export const tcpTo = (cluster: string, parts: Partial<TcpProxy> = {}): TcpProxy => ({
  statPrefix: cluster,
  clusters: [{ name: cluster, weight: 1 }],
  accessLogs: [],
  ...parts,
})

export const routesTo = (name: string, cluster: string, action: Partial<ForwardAction> = {}): RouteConfiguration => ({
  name,
  virtualHosts: [
    {
      name,
      domains: ['*'],
      routes: [{ name, match: {}, action: { type: 'forward', clusters: [{ cluster, weight: 1 }], timeoutMs: 0, ...action } }],
    },
  ],
})

/** Only these may come in. */
export const allowed = (...ids: readonly string[]): Rbac => ({
  deny: [],
  shadowDeny: [],
  allow: [{ name: 'allowed', principals: ids.map((id) => ({ spiffeId: { exact: id } })), requests: [] }],
  otherwise: 'deny',
})

export const OPEN: Rbac = { deny: [], shadowDeny: [], allow: [], otherwise: 'allow' }

interface InboundOptions {
  readonly mode?: 'strict' | 'permissive'
  readonly rbac?: Rbac
  readonly manager?: Partial<HttpConnectionManager>
  readonly detectTimeoutMs?: number
}

/** What comes in at a port of an application, as compiled from nothing but a mode and permissions. */
export function inbound(app: SocketAddress, protocol: Protocol, options: InboundOptions = {}): Listener {
  const { mode = 'strict', rbac = OPEN, detectTimeoutMs } = options
  const name = inboundName(app.port)
  const plainHttp = manager(name, options.manager)
  const judged = { ...plainHttp, filters: [{ type: 'rbac', name: 'permissions', rbac } as const, ...plainHttp.filters] }
  const carried = (http: HttpConnectionManager): Pick<FilterChain, 'http' | 'tcp'> => ({
    ...(hasHttp(protocol) ? { http } : {}),
    ...(protocol === 'auto' || !hasHttp(protocol) ? { tcp: tcpTo(name) } : {}),
  })
  return {
    name,
    direction: 'inbound',
    address: app,
    protocol,
    ...(detectTimeoutMs === undefined ? {} : { detectTimeoutMs }),
    chains: [
      { name: 'mesh', match: { transport: ['mesh'] }, tls: { mode: 'mesh' }, connection: { rbac }, ...carried(judged) },
      ...(mode === 'strict'
        ? []
        : [
            { name: 'plaintext', match: { transport: ['plaintext'] as const }, ...carried(plainHttp) },
            { name: 'tls', match: { transport: ['tls'] as const }, tcp: tcpTo(name) },
          ]),
    ],
  }
}

/** Cluster and routes of an inbound listener. */
export function inboundTarget(
  app: SocketAddress,
  protocol: Protocol,
): { readonly clusters: [Cluster]; readonly routes: [RouteConfiguration] } {
  const name = inboundName(app.port)
  const spoken = { http: 'http', http2: 'http2', grpc: 'http2', tcp: 'tcp', tls: 'tcp', auto: 'mirror' } as const
  return {
    clusters: [cluster(name, { discovery: { type: 'static', addresses: [app] }, protocol: spoken[protocol] })],
    routes: [routesTo(name, name)],
  }
}

export const cluster = (name: string, parts: Partial<Cluster> = {}): Cluster => ({
  name,
  discovery: { type: 'eds', name },
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
  ...parts,
})

/** A service of the mesh. */
export const meshCluster = (name: string, protocol: Protocol, parts: Partial<Cluster> = {}): Cluster =>
  cluster(name, {
    protocol: protocol === 'auto' ? 'mirror' : hasHttp(protocol) ? 'http2' : 'tcp',
    tls: { mode: 'mesh', identities: [] },
    ...parts,
  })

export const endpoints = (name: string, ...some: readonly (Partial<Endpoint> & Pick<Endpoint, 'address'>)[]): ClusterLoadAssignment => ({
  name,
  endpoints: some.map((one) => ({ state: 'ready', ...one })),
})

/** What an application dials. */
export function outbound(vip: SocketAddress, protocol: Protocol, clusterName: string, parts: Partial<Listener> = {}): Listener {
  const name = outboundName(vip.address, vip.port)
  const http = manager(name)
  const tcp = tcpTo(clusterName)
  const chains: readonly FilterChain[] =
    protocol === 'auto'
      ? [
          { name: 'plain', match: { transport: ['plaintext'] }, http, tcp },
          { name: 'opaque', match: {}, tcp },
        ]
      : [{ name: protocol, match: {}, ...(hasHttp(protocol) ? { http } : { tcp }) }]
  return { name, direction: 'outbound', address: vip, protocol, chains, ...parts }
}
