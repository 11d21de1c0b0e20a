import type { HttpConnectionManager, HttpFilter, Listener } from '../../../policy/traffic/model/index.ts'
import { HCM } from '../envoy/http.ts'
import { chainFilters } from '../envoy/http-filter.ts'
import { ADS, any, type Json, type Note } from '../envoy/resource.ts'
import { serverSocket } from './tls.ts'

const ROUTER = { name: 'router', typed_config: any('envoy.extensions.filters.http.router.v3.Router') }

/** What gRPC's libraries have: RBAC on servers, faults on clients. Others would be refused. Source: gRFC A33, A39, A41. */
export function supportedFilters(filters: readonly HttpFilter[], note: Note): readonly HttpFilter[] {
  return filters.filter(({ type, name }) => {
    if (type === 'fault' || type === 'rbac') return true
    note(`gRPC has no filter ${type}: ${name} is left out`)
    return false
  })
}

const RBAC = 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC'

/** Rules that are only counted are unknown to gRPC, and a filter without other rules is refused by Node. */
function enforces(filter: Json, note: Note): boolean {
  const config = filter['typed_config'] as Json
  if (config['@type'] !== RBAC || config['rules'] !== undefined) return true
  if (config['shadow_rules'] !== undefined) note(`gRPC counts no denials that are not enforced: ${String(filter['name'])} is left out`)
  return false
}

function manager(http: HttpConnectionManager, routes: Json, kind: 'rbac' | 'fault', port: number | undefined, note: Note): Json {
  const filters = supportedFilters(http.filters, note).filter((filter) => {
    if (filter.type !== kind) note(`gRPC has ${filter.type} filters on the other side only: ${filter.name} is left out`)
    return filter.type === kind
  })
  return any(HCM, {
    stat_prefix: http.statPrefix,
    ...routes,
    http_filters: [
      ...chainFilters(filters, [], { layer: 'http', ...(port === undefined ? {} : { port }) }, note).filter((filter) =>
        enforces(filter, note),
      ),
      ROUTER,
    ],
  })
}

/** The listener of a name that clients dial; undefined where the port speaks no HTTP. */
export function clientListener(name: string, { chains }: Listener, note: Note): Json | undefined {
  const http = chains.find((chain) => chain.http)?.http
  if (!http) {
    note('gRPC dials ports that speak HTTP/2 alone: this one is left out')
    return undefined
  }
  return {
    name,
    api_listener: {
      api_listener: manager(http, { rds: { route_config_name: http.routes, config_source: ADS } }, 'fault', undefined, note),
    },
  }
}

/**
 * The listener of a server. What is encrypted and what is not cannot be told apart there: with TLS of the mesh in any chain there is nothing else.
 */
export function serverListener(name: string, address: Json, { chains, address: { port } }: Listener, note: Note): Json | undefined {
  const mesh = chains.find(({ tls, http }) => tls?.mode === 'mesh' && http)
  const chain = mesh ?? chains.find(({ http }) => http)
  if (!chain?.http) {
    note('gRPC serves HTTP/2 alone: this port is left out')
    return undefined
  }
  if (mesh && chains.some(({ tls, http }) => http && !tls)) note('a gRPC server takes TLS or plaintext, not both: TLS of the mesh alone')
  if (chain.connection) note('gRPC servers have no rules for connections')
  const routes = {
    route_config: {
      name: 'inbound',
      virtual_hosts: [{ name: 'inbound', domains: ['*'], routes: [{ match: { prefix: '/' }, non_forwarding_action: {} }] }],
    },
  }
  return {
    name,
    address,
    traffic_direction: 'INBOUND',
    filter_chains: [
      {
        name: chain.name,
        transport_socket: mesh ? serverSocket() : undefined,
        filters: [{ name: 'http', typed_config: manager(chain.http, routes, 'rbac', port, note) }],
      },
    ],
  }
}
