import type { CompiledResource } from '../compile/index.ts'
import { compileRouteConfiguration, requestView, type RequestView } from '../evaluate/index.ts'
import type { MeshServiceView, ServicePortView } from '../input/index.ts'
import {
  INVALID_CLUSTER,
  type Cluster,
  type Endpoint,
  type FilterChain,
  type Listener,
  type ResourceOfType,
  type ResourceType,
  type Route,
} from '../model/index.ts'
import type { Steps } from './steps.ts'

/** What is asked for; absent fields: `GET /` of the service's own name. */
export interface ExplainedRequest {
  readonly method?: string
  readonly path?: string
  /** Also the server name that TLS asks for. */
  readonly host?: string
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export interface Target {
  readonly service: MeshServiceView
  readonly port: ServicePortView
}

/** Where a call arrives, and how. */
export interface Arrival {
  readonly endpoint: Endpoint
  /** With mutual TLS of the mesh; else as the caller wrote it. */
  readonly transport: 'mesh' | 'tls' | 'plaintext'
  /** Absent: bytes that no proxy of the caller reads. */
  readonly request?: RequestView
}

/** One resource of a compiled configuration by its name. */
export function find<Type extends ResourceType>(
  resources: readonly CompiledResource[],
  type: Type,
  name: string,
): { readonly value: ResourceOfType[Type]; readonly origins: CompiledResource['origins'] } | undefined {
  const found = resources.find((one) => one.type === type && one.value.name === name)
  return found && { value: found.value as ResourceOfType[Type], origins: found.origins }
}

/** The first chain that takes a connection, as proxies choose it. */
export function chainFor(
  { chains }: Listener,
  seen: { readonly transport: 'mesh' | 'tls' | 'plaintext'; readonly serverName?: string },
): FilterChain | undefined {
  return chains.find(
    ({ match: { transport, serverNames } }) =>
      (!transport || transport.includes(seen.transport)) && (!serverNames || serverNames.some((name) => isNamed(name, seen.serverName))),
  )
}

function isNamed(pattern: string, name: string | undefined): boolean {
  if (name === undefined) return false
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : pattern === name
}

/** Requests that a call makes: of a port that speaks HTTP, as far as anybody knows. */
export function requestOf({ service, port }: Target, request: ExplainedRequest): RequestView {
  return requestView({ ...request, authority: request.host ?? `${service.name}.${service.namespace}:${port.port}` })
}

/** What the caller's proxy makes of a call; undefined: it ends there, and the steps say why. */
export function followOutbound(
  listener: Listener,
  target: Target,
  request: ExplainedRequest,
  resources: readonly CompiledResource[],
  steps: Steps,
): Arrival | undefined {
  const transport = target.port.protocol === 'tls' ? 'tls' : 'plaintext'
  const serverName = request.host?.replace(/:\d+$/, '').toLowerCase()
  const chain = chainFor(listener, { transport, ...(transport === 'tls' && serverName !== undefined ? { serverName } : {}) })
  if (!chain) {
    steps.failed('route', `no route takes TLS for ${serverName ?? 'no server name'}: the connection is closed`)
    return undefined
  }
  const view = chain.http ? requestOf(target, request) : undefined
  const shares = chain.http && view ? httpShares(chain.http.routes, view, resources, steps) : tcpShares(chain, steps)
  const name = shares && heaviest(shares, steps)
  return name === undefined ? undefined : arrive(name, view, transport, resources, steps)
}

interface Share {
  readonly name: string
  readonly weight: number
}

function httpShares(name: string, view: RequestView, resources: readonly CompiledResource[], steps: Steps): readonly Share[] | undefined {
  const config = find(resources, 'route', name)?.value
  const table = config && compileRouteConfiguration(config)
  const found = table?.find(view)
  const what = `${view.method} ${view.path} of ${view.authority}`
  if (!found) {
    const host = table?.findVirtualHost(view.authority)
    steps.failed(
      'route',
      `${what}: ${host ? `none of the ${host.routes.length} routes for this host matches` : 'no route is for this host'}; answered with 404`,
    )
    return undefined
  }
  const { route } = found
  const { action } = route
  if (action.type === 'forward') {
    steps.ok(
      'route',
      `${what}: ${nameOf(route)}${sharesText(action.clusters.map(({ cluster, weight }) => ({ name: cluster, weight })))}`,
      route.origin,
    )
    return action.clusters.map(({ cluster, weight }) => ({ name: cluster, weight }))
  }
  const answer = `${what}: ${nameOf(route)} answers with ${action.status} itself`
  if (action.type === 'direct' && action.status >= 400) steps.failed('route', answer, route.origin)
  else steps.ok('route', answer, route.origin)
  return undefined
}

const nameOf = ({ name, origin }: Route): string => (origin ? `route ${name}` : 'the service itself')

function tcpShares({ tcp }: FilterChain, steps: Steps): readonly Share[] | undefined {
  if (!tcp || tcp.clusters.length === 0) {
    steps.failed('route', 'no backend has a share: the connection is closed', tcp?.route)
    return undefined
  }
  steps.ok('route', `bytes: ${tcp.route === undefined ? 'the service itself' : `route ${tcp.route}`}${sharesText(tcp.clusters)}`, tcp.route)
  return tcp.clusters
}

function sharesText(shares: readonly Share[]): string {
  if (shares.length < 2) return ''
  const total = shares.reduce((sum, { weight }) => sum + weight, 0)
  return `; shares: ${shares.map(({ name, weight }) => `${name === INVALID_CLUSTER ? 'no backend' : name} ${Math.round((weight * 1000) / total) / 10} %`).join(', ')}`
}

/** What is explained further is the largest share that leads anywhere. */
function heaviest(shares: readonly Share[], steps: Steps): string | undefined {
  const [first] = shares.filter(({ name }) => name !== INVALID_CLUSTER).toSorted((a, b) => b.weight - a.weight)
  if (!first) steps.failed('cluster', 'the backends do not exist or may not be used: answered with 500, connections are closed')
  return first?.name
}

function arrive(
  name: string,
  request: RequestView | undefined,
  written: 'tls' | 'plaintext',
  resources: readonly CompiledResource[],
  steps: Steps,
): Arrival | undefined {
  const found = find(resources, 'cluster', name)
  if (!found) {
    steps.failed('cluster', `there is no cluster ${name}`)
    return undefined
  }
  const { value: cluster, origins } = found
  steps.ok('cluster', `${name}, balanced by ${cluster.loadBalancer.type}`, origins.at(-1))
  const endpoint = endpointOf(cluster, resources, steps)
  if (!endpoint) return undefined
  const isMesh = cluster.tls?.mode === 'mesh' && endpoint.identity !== undefined
  if (isMesh) steps.ok('tls', `mutual TLS with ${endpoint.identity ?? ''}`)
  else if (cluster.tls?.mode === 'tls')
    steps.ok('tls', `TLS with ${cluster.tls.serverName ?? endpoint.address.address}, verified: ${cluster.tls.verify}`)
  else steps.ok('tls', `${written === 'tls' ? 'TLS of the application' : 'plain text'}: what listens there takes no TLS of the mesh`)
  return { endpoint, transport: isMesh ? 'mesh' : written, ...(request ? { request } : {}) }
}

function endpointOf(cluster: Cluster, resources: readonly CompiledResource[], steps: Steps): Endpoint | undefined {
  const { discovery } = cluster
  if (discovery.type === 'eds') {
    return readyEndpoint(find(resources, 'endpoints', discovery.name)?.value.endpoints ?? [], steps)
  }
  const addresses =
    discovery.type === 'static'
      ? discovery.addresses
      : discovery.type === 'dns'
        ? discovery.hosts.map(({ host, port }) => ({ address: host, port }))
        : []
  return readyEndpoint(
    addresses.map((address): Endpoint => ({ address, state: 'ready' })),
    steps,
  )
}

/** The first that takes requests. */
export function readyEndpoint(endpoints: readonly Endpoint[], steps: Steps): Endpoint | undefined {
  const ready = endpoints.filter(({ state }) => state === 'ready')
  const [first] = ready
  if (!first) {
    steps.failed('endpoint', `none of ${endpoints.length} endpoints is ready: answered with 503, connections are closed`)
    return undefined
  }
  const { address, pod } = first
  const where = `${address.address} port ${address.port}${pod === undefined ? '' : ` (pod ${pod})`}`
  steps.ok('endpoint', ready.length === 1 ? where : `one of ${ready.length} that are ready, such as ${where}`)
  return first
}
