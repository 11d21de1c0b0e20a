import type { ServicePortView } from '../input/index.ts'
import { outboundName, type Cluster, type Endpoint, type FilterChain, type Listener, type RouteConfiguration } from '../model/index.ts'
import type { CompiledResource } from './compiled.ts'

const STATS = 'outbound_pods'

/** What is spoken with endpoints that are dialled by their own addresses. What nobody has declared goes as bytes: its proxy looks at them. */
const SPOKEN: Readonly<Record<ServicePortView['protocol'], 'http' | 'http2' | 'tcp'>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'http2',
  tcp: 'tcp',
  tls: 'tcp',
  auto: 'tcp',
}

/**
 * Who dials an endpoint of the mesh by its own address gets there with mutual TLS: whatever is strict would refuse it else. No routes and no policies of a
 * service hold, for none is meant. One listener for each endpoint, which proxies ask for when it is first dialled, and for each identity one cluster: when an
 * endpoint comes or goes, its listener alone does.
 * @param known resources by what they are made of: the same objects as before; what is made is added
 * @param used gets those of this port
 */
export function compilePods(port: ServicePortView, known: PodResources, used: PodResources): void {
  const spoken = SPOKEN[port.protocol]
  for (const { address, identity, meshPort } of port.endpoints) {
    if (identity === undefined) continue
    const key = `${address.address}|${address.port}|${identity}|${spoken}|${meshPort ?? ''}`
    const made = known.get(key) ?? resourcesOf({ address, identity, ...(meshPort === undefined ? {} : { meshPort }) }, spoken, known)
    known.set(key, made)
    used.set(key, made)
  }
}

export type PodResources = Map<string, readonly CompiledResource[]>

type Meshed = Pick<Endpoint, 'address' | 'meshPort'> & { readonly identity: string }

function resourcesOf(endpoint: Meshed, spoken: 'http' | 'http2' | 'tcp', known: PodResources): readonly CompiledResource[] {
  const { address, identity, meshPort } = endpoint
  const name = `pods|${identity}|${spoken}${meshPort === undefined ? '' : `|${meshPort}`}`
  const common = known.get(name) ?? commonOf(name, endpoint, spoken)
  known.set(name, common)
  const chain: FilterChain =
    spoken === 'tcp'
      ? { name: 'pods', match: {}, tcp: { statPrefix: STATS, clusters: [{ name, weight: 1 }], accessLogs: [] } }
      : {
          name: 'pods',
          match: {},
          http: { statPrefix: STATS, routes: name, filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false },
        }
  const listener: Listener = {
    name: outboundName(address.address, address.port),
    direction: 'outbound',
    address,
    protocol: spoken,
    chains: [chain],
  }
  return [...common, { type: 'listener', value: listener, origins: [] }]
}

function commonOf(name: string, { identity, meshPort }: Meshed, spoken: 'http' | 'http2' | 'tcp'): readonly CompiledResource[] {
  const cluster: Cluster = {
    name,
    // identities would make a metric's name of each service account
    statName: STATS,
    discovery: { type: 'originalDestination', ...(meshPort === undefined ? {} : { meshPort }) },
    protocol: spoken,
    tls: { mode: 'mesh', identities: [identity] },
    loadBalancer: { type: 'roundRobin' },
    limits: {},
    healthChecks: [],
  }
  const routes: RouteConfiguration = {
    name,
    virtualHosts: [
      {
        name: 'pods',
        domains: ['*'],
        routes: [{ name: 'pods', match: {}, action: { type: 'forward', clusters: [{ cluster: name, weight: 1 }], timeoutMs: 0 } }],
      },
    ],
  }
  return [
    { type: 'cluster', value: cluster, origins: [] },
    ...(spoken === 'tcp' ? [] : [{ type: 'route' as const, value: routes, origins: [] }]),
  ]
}
