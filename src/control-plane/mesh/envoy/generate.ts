import {
  OUTBOUND_ANY,
  type Cluster,
  type ClusterLoadAssignment,
  type HttpFilter,
  type Listener,
  type ProxySettings,
  type RouteConfiguration,
  type Secret,
} from '../../../policy/traffic/model/index.ts'
import { clusterOf, retryBudgets } from './cluster.ts'
import { loadAssignment, type Place } from './endpoints.ts'
import { gatewayListener, meshListener, outboundListener, virtualInbound, virtualOutbound, type Interception } from './listener.ts'
import { applyPatches } from './patch.ts'
import { byText, type EnvoyType, type Json, type Note, type Unsupported } from './resource.ts'
import { routeConfiguration } from './route.ts'
import { secretsOf } from './secret.ts'
import { telemetryClusters } from './telemetry.ts'

/** All resources of one proxy in the intermediate form, and what else Envoy's depend on. */
export interface EnvoyInput {
  readonly settings: ProxySettings
  readonly listeners: readonly Listener[]
  readonly routes: readonly RouteConfiguration[]
  readonly clusters: readonly Cluster[]
  readonly endpoints: readonly ClusterLoadAssignment[]
  readonly secrets: readonly Secret[]
  readonly interception: Interception
  readonly place: Place
}

export interface EnvoyOutput {
  /** By type, sorted by name: the same input gives the same bytes. */
  readonly resources: Readonly<Record<EnvoyType, readonly EnvoyResource[]>>
  readonly unsupported: readonly Unsupported[]
}

export interface EnvoyResource {
  readonly name: string
  readonly value: Json
}

/** Takes notes about one resource. */
type NoteFor = (type: EnvoyType, name: string) => Note

/**
 * Envoy's configuration of a proxy. Pure. What Envoy cannot do is in `unsupported`, and left out; the patches of MeshProxyPatch come last, and one that does
 * not apply or makes a resource invalid is left out as well.
 */
export function generateEnvoy(input: EnvoyInput): EnvoyOutput {
  const unsupported: Unsupported[] = []
  const noteFor: NoteFor = (type, name) => (reason) => void unsupported.push({ type, name, reason })
  const plain: Record<EnvoyType, readonly EnvoyResource[]> = {
    listener: listeners(input, noteFor),
    route: routes(input, noteFor),
    cluster: clusters(input, noteFor),
    endpoints: assignments(input),
    secret: named(input.secrets.flatMap((secret) => secretsOf(secret))),
  }
  const resources = applyPatches(plain, input.settings.patches ?? [], noteFor)
  return { resources, unsupported: distinct(unsupported) }
}

const named = (values: readonly Json[]): readonly EnvoyResource[] =>
  values.map((value) => ({ name: String(value['name'] ?? value['cluster_name']), value })).toSorted((a, b) => byText(a.name, b.name))

function distinct(list: readonly Unsupported[]): readonly Unsupported[] {
  const seen = new Set<string>()
  return list.filter((entry) => {
    const key = JSON.stringify(entry)
    return !seen.has(key) && seen.add(key) !== undefined
  })
}

function listeners({ listeners, routes, settings, interception }: EnvoyInput, noteFor: NoteFor): readonly EnvoyResource[] {
  const context = { settings, routes: new Map(routes.map((one) => [one.name, one])) }
  const of = (direction: Listener['direction']): readonly Listener[] => listeners.filter((one) => one.direction === direction)
  const redirect = interception === 'redirect'
  const out: Json[] = of('outbound')
    .filter(({ name }) => name !== OUTBOUND_ANY)
    .map((listener) => outboundListener(listener, interception, context, noteFor('listener', listener.name)))
  const gateways = of('gateway')
  const inbound = of('inbound')
  const passed = listeners.find(({ name }) => name === OUTBOUND_ANY)
  if (redirect && (passed || out.length > 0 || inbound.length > 0))
    out.push(virtualOutbound(passed, context, noteFor('listener', OUTBOUND_ANY)))
  if (redirect && inbound.length > 0) out.push(virtualInbound(inbound, context, noteFor('listener', 'virtual-inbound')))
  const mesh = meshListener(inbound, context, noteFor('listener', 'mesh-inbound'))
  if (mesh) out.push(mesh)
  const addresses = new Map<string, Listener[]>()
  for (const listener of gateways.toSorted((a, b) => byText(a.name, b.name))) {
    const key = `${listener.address.address}|${listener.address.port}`
    addresses.set(key, [...(addresses.get(key) ?? []), listener])
  }
  for (const sharing of addresses.values()) out.push(gatewayListener(sharing, context, noteFor('listener', sharing[0]?.name ?? '')))
  return named(out)
}

function routes({ listeners, routes }: EnvoyInput, noteFor: NoteFor): readonly EnvoyResource[] {
  const filters = new Map<string, HttpFilter[]>()
  for (const { http } of listeners.flatMap(({ chains }) => chains)) {
    if (http) filters.set(http.routes, [...(filters.get(http.routes) ?? []), ...http.filters])
  }
  return named(routes.map((one) => routeConfiguration(one, filters.get(one.name) ?? [], noteFor('route', one.name))))
}

function clusters({ clusters, endpoints, settings, routes, listeners }: EnvoyInput, noteFor: NoteFor): readonly EnvoyResource[] {
  const byName = new Map(endpoints.map((one) => [one.name, one]))
  const budgets = retryBudgets(routes)
  const own = clusters.map((cluster) => {
    const assigned = cluster.discovery.type === 'eds' ? byName.get(cluster.discovery.name) : undefined
    const budget = budgets.get(cluster.name)
    const context = { settings, ...(assigned ? { endpoints: assigned } : {}), ...(budget ? { budget } : {}) }
    return clusterOf(cluster, context, noteFor('cluster', cluster.name))
  })
  return named([...own, ...telemetryClusters(listeners)])
}

function assignments({ endpoints, clusters, place }: EnvoyInput): readonly EnvoyResource[] {
  const users = new Map(
    clusters.flatMap((cluster) => (cluster.discovery.type === 'eds' ? [[cluster.discovery.name, cluster] as const] : [])),
  )
  return named(endpoints.map((one) => loadAssignment(one, users.get(one.name), place)))
}
