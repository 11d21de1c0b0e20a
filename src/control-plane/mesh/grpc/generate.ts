import { grpcServerName } from '../../../policy/traffic/bootstrap/names.ts'
import type {
  Cluster,
  ClusterLoadAssignment,
  Listener,
  ProxySettings,
  RouteConfiguration,
  ServicePortRef,
} from '../../../policy/traffic/model/index.ts'
import { localities, type Place } from '../envoy/endpoints.ts'
import { byText, socketAddress, type EnvoyType, type Json, type Note, type Unsupported } from '../envoy/resource.ts'
import { clusterOf } from './cluster.ts'
import { clientListener, serverListener } from './listener.ts'
import { routeConfiguration } from './route.ts'

/** All resources of one proxyless client or server in the intermediate form. */
export interface GrpcInput {
  readonly settings: ProxySettings
  readonly listeners: readonly Listener[]
  readonly routes: readonly RouteConfiguration[]
  readonly clusters: readonly Cluster[]
  readonly endpoints: readonly ClusterLoadAssignment[]
  readonly place: Place
  /** Domain of the cluster, such as `cluster.local`. */
  readonly domain: string
  /** Addresses under which servers may ask for their listeners besides the application's own, such as `0.0.0.0` (the default) and `[::]`. */
  readonly serverAddresses?: readonly string[]
}

export interface GrpcOutput {
  readonly resources: Readonly<Record<Exclude<EnvoyType, 'secret'>, readonly { readonly name: string; readonly value: Json }[]>>
  readonly unsupported: readonly Unsupported[]
}

/** Names that a client may dial for a port of a service: `xds:///` and one of them. */
export const dialNames = ({ namespace, name, port }: ServicePortRef, domain: string): readonly string[] =>
  [`${name}.${namespace}.svc.${domain}`, `${name}.${namespace}.svc`, `${name}.${namespace}`].map((host) => `${host}:${port}`)

/**
 * Configuration for proxyless gRPC. Pure. What gRPC's libraries do not know they would refuse or ignore: it is left out and in `unsupported`. The same bytes
 * serve C-core, Go, Java and Node; where they differ the narrowest counts (Node: no LEAST_REQUEST, every locality has a weight).
 */
export function generateGrpc(input: GrpcInput): GrpcOutput {
  const unsupported: Unsupported[] = []
  const noteFor =
    (type: EnvoyType, name: string): Note =>
    (reason) =>
      void unsupported.push({ type, name, reason })
  const listeners = new Map<string, Json>()
  for (const listener of input.listeners) {
    const note = noteFor('listener', listener.name)
    if (listener.direction === 'outbound' && listener.service) {
      for (const name of dialNames(listener.service, input.domain)) {
        const made = clientListener(name, listener, note)
        if (made) listeners.set(name, made)
      }
    } else if (listener.direction === 'inbound') {
      const { address, port } = listener.address
      for (const host of new Set([address, ...(input.serverAddresses ?? ['0.0.0.0', '[::]'])])) {
        const name = grpcServerName(`${host}:${port}`)
        const made = serverListener(name, socketAddress(host.replace(/^\[|\]$/g, ''), port), listener, note)
        if (made) listeners.set(name, made)
      }
    }
  }
  const assignments = new Map(input.endpoints.map((one) => [one.name, one]))
  const users = new Map(
    input.clusters.flatMap((cluster) => (cluster.discovery.type === 'eds' ? [[cluster.discovery.name, cluster] as const] : [])),
  )
  return {
    unsupported: [...new Map(unsupported.map((entry) => [JSON.stringify(entry), entry])).values()],
    resources: {
      listener: [...listeners].map(([name, value]) => ({ name, value })).toSorted((a, b) => byText(a.name, b.name)),
      route: named(input.routes.map((one) => routeConfiguration(one, noteFor('route', one.name)))),
      cluster: named(
        input.clusters
          .map((cluster) =>
            clusterOf(
              cluster,
              cluster.discovery.type === 'eds' ? assignments.get(cluster.discovery.name) : undefined,
              noteFor('cluster', cluster.name),
            ),
          )
          .filter((value) => value !== undefined),
      ),
      endpoints: named(input.endpoints.map((one) => loadAssignment(one, users.get(one.name), input.place))),
    },
  }
}

const named = (values: readonly Json[]): readonly { name: string; value: Json }[] =>
  values.map((value) => ({ name: String(value['name'] ?? value['cluster_name']), value })).toSorted((a, b) => byText(a.name, b.name))

/** Localities have the sum of their endpoints' weights: gRPC leaves one without weight aside without a word. Each address once, draining ones not at all. */
function loadAssignment(assignment: ClusterLoadAssignment, cluster: Cluster | undefined, place: Place): Json {
  const seen = new Set<string>()
  const usable = assignment.endpoints.filter(({ address, state }) => {
    const key = `${address.address}|${address.port}`
    return state === 'ready' && !seen.has(key) && seen.add(key) !== undefined
  })
  return {
    cluster_name: assignment.name,
    endpoints: localities(usable, cluster?.loadBalancer.locality, place).map(({ priority, zone, members }) => ({
      priority,
      locality: zone === undefined ? {} : { zone },
      load_balancing_weight: members.reduce((sum, { weight = 1 }) => sum + weight, 0),
      lb_endpoints: members.map(({ address, weight = 1 }) => ({
        endpoint: { address: socketAddress(address.address, address.port) },
        health_status: 'HEALTHY',
        load_balancing_weight: weight,
      })),
    })),
  }
}
