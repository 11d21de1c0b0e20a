import {
  MESH_ALPN,
  type FilterChain,
  type HttpFilter,
  type Listener,
  type ProxySettings,
  type RouteConfiguration,
  type StringMatch,
  type TcpProxy,
} from '../../../policy/traffic/model/index.ts'
import { httpFilter, type HttpContext } from './http.ts'
import { tokenBucket } from './http-filter.ts'
import { networkRbac } from './rbac.ts'
import { any, type Json, type Note } from './resource.ts'
import { accessLogs } from './telemetry.ts'
import { meshServerSocket, terminateSocket } from './tls.ts'

/** What listeners are generated from besides themselves. */
export interface ListenerContext {
  readonly settings: Pick<ProxySettings, 'name' | 'trust'>
  /** By name; a name that is missing has routes without filters. */
  readonly routes: ReadonlyMap<string, RouteConfiguration>
}

/** All filters of the routes of a configuration. */
export const filtersOfRoutes = (routes: RouteConfiguration | undefined): readonly HttpFilter[] =>
  (routes?.virtualHosts ?? []).flatMap((host) => host.routes).flatMap(({ filters }) => filters ?? [])

type Codec = 'AUTO' | 'HTTP1' | 'HTTP2' | 'tcp'

/** One of Envoy's chains: what it matches, what ends TLS, how the bytes are read. */
interface Way {
  readonly suffix: string
  readonly match: Json
  readonly socket?: Json
  readonly codec: Codec
}

const PLAIN_HTTP = ['http/1.0', 'http/1.1', 'h2c'] as const

/**
 * Envoy's filter chains for one of the model: one for each transport and protocol that it takes. `match`: what is known of the connection besides, such as the
 * destination port. Only chains of TLS of the mesh where `meshOnly`.
 */
export function chainsOf(
  listener: Listener,
  chain: FilterChain,
  context: ListenerContext,
  note: Note,
  { match = {}, meshOnly = false, prefix = '' }: { readonly match?: Json; readonly meshOnly?: boolean; readonly prefix?: string } = {},
): readonly Json[] {
  return waysOf(chain, context, note)
    .filter(({ suffix }) => !meshOnly || suffix.startsWith('#mesh'))
    .map((way) => ({
      name: `${prefix}${chain.name}${way.suffix}`,
      filter_chain_match: {
        ...(chain.match.serverNames && chain.match.serverNames.length > 0 ? { server_names: chain.match.serverNames } : {}),
        ...way.match,
        ...match,
      },
      transport_socket: way.socket,
      filters: [...connectionFilters(listener, chain, way.codec), lastFilter(listener, chain, way.codec, context, note)],
    }))
}

function waysOf(chain: FilterChain, { settings }: ListenerContext, note: Note): readonly Way[] {
  const { tls, match, http, tcp } = chain
  const both = http !== undefined && tcp !== undefined
  if (tls?.mode === 'mesh') {
    const way = (suffix: string, offered: readonly string[], codec: Codec, answered = offered): Way => ({
      suffix: `#mesh${suffix}`,
      match: { transport_protocol: 'tls', application_protocols: offered },
      socket: meshServerSocket(tls, Object.keys(settings.trust), answered, codec === 'tcp' ? callers(chain, note) : []),
      codec,
    })
    if (!http) return [way('', Object.values(MESH_ALPN), 'tcp')]
    return [
      way('-h2', tls.proxyless ? [MESH_ALPN.http2, 'h2'] : [MESH_ALPN.http2], 'HTTP2'),
      way('-http1', [MESH_ALPN.http1], 'HTTP1'),
      // opaque bytes at a port that speaks HTTP: without an answer Envoy looks at the bytes
      way('-tcp', [MESH_ALPN.tcp], both ? 'tcp' : 'AUTO', both ? [MESH_ALPN.tcp] : []),
    ]
  }
  const named = (match.serverNames?.length ?? 0) > 0
  if (tls?.mode === 'terminate') {
    if (both) note(`chain ${chain.name}: bytes inside of TLS are taken as HTTP, not told apart`)
    return [{ suffix: '', match: { transport_protocol: 'tls' }, socket: terminateSocket(tls), codec: http ? 'AUTO' : 'tcp' }]
  }
  const plain = (suffix: string, matched: Json): readonly Way[] => {
    if (!both) return [{ suffix, match: matched, codec: http ? 'AUTO' : 'tcp' }]
    return [
      { suffix: `${suffix}#http`, match: { ...matched, application_protocols: PLAIN_HTTP }, codec: 'AUTO' },
      { suffix: `${suffix}#tcp`, match: matched, codec: 'tcp' },
    ]
  }
  const opaque = (suffix: string, matched: Json): Way => ({ suffix, match: matched, codec: tcp ? 'tcp' : 'AUTO' })
  const transports = match.transport ?? []
  if (transports.length === 0) return named || tls?.mode === 'passthrough' ? [opaque('', { transport_protocol: 'tls' })] : plain('', {})
  return transports.flatMap((transport) => {
    if (transport === 'plaintext') return plain('#plain', { transport_protocol: 'raw_buffer' })
    const alpn = transport === 'mesh' ? { application_protocols: Object.values(MESH_ALPN) } : {}
    return [opaque(`#${transport === 'mesh' ? 'opaque-mesh' : 'tls'}`, { transport_protocol: 'tls', ...alpn })]
  })
}

/**
 * Envoy's network RBAC judges when the client's first byte comes, and a server that speaks first has spoken by then. Where rules allow by identity alone, TLS
 * accepts no other one, which is earlier.
 */
function callers({ connection }: FilterChain, note: Note): readonly StringMatch[] {
  const rbac = connection?.rbac
  if (!rbac || rbac.dryRun) return []
  const allowed = rbac.allow.flatMap(({ principals }) => (principals.length === 0 ? [{}] : principals))
  const names = allowed.flatMap(({ spiffeId }) => (spiffeId ? [spiffeId] : []))
  const byName = rbac.otherwise === 'deny' && names.length > 0 && names.length === allowed.length
  if (rbac.deny.length > 0 || (rbac.otherwise === 'deny' && !byName)) {
    note('rules of a connection are judged at the first byte of the client: a server that speaks first is heard before')
  }
  return byName ? names : []
}

function connectionFilters({ direction, address }: Listener, { connection, http, tcp }: FilterChain, codec: Codec): readonly Json[] {
  const statPrefix = `${http?.statPrefix ?? tcp?.statPrefix ?? 'connection'}.`
  // of all other ports it is the connection that says which one
  const port = direction === 'outbound' || address.port === 0 ? undefined : address.port
  return [
    ...(connection?.rateLimit
      ? [
          {
            name: 'local_ratelimit',
            typed_config: any('envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit', {
              stat_prefix: statPrefix,
              token_bucket: tokenBucket(connection.rateLimit),
            }),
          },
        ]
      : []),
    // requests are judged one by one, and get an answer
    ...(connection?.rbac && codec === 'tcp' ? networkRbac(connection.rbac, statPrefix, port) : []),
  ]
}

function lastFilter(listener: Listener, { http, tcp }: FilterChain, codec: Codec, { settings, routes }: ListenerContext, note: Note): Json {
  if (codec === 'tcp' || !http)
    return tcpFilter(tcp ?? { statPrefix: http?.statPrefix ?? listener.name, clusters: [], accessLogs: [] }, note)
  const http1only: HttpContext = {
    listener,
    routeFilters: filtersOfRoutes(routes.get(http.routes)),
    serviceName: listener.service ? `${listener.service.name}.${listener.service.namespace}` : settings.name,
    note,
  }
  return httpFilter(http, codec, http1only)
}

/** A cluster that is never sent: connections to it are closed. */
export const BLACKHOLE = 'blackhole'

export function tcpFilter(tcp: TcpProxy, note: Note): Json {
  const some = tcp.clusters.filter(({ weight }) => weight > 0)
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: any('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
      stat_prefix: tcp.statPrefix,
      ...(some.length > 1
        ? { weighted_clusters: { clusters: some.map(({ name, weight }) => ({ name, weight })) } }
        : { cluster: some[0]?.name ?? BLACKHOLE }),
      idle_timeout: tcp.idleTimeoutMs ?? 3_600_000,
      max_connect_attempts: tcp.maxConnectAttempts,
      access_log: accessLogs(tcp.accessLogs, note),
    }),
  }
}

/** What a listener has to look at before it can choose one of these chains. */
export function inspectors(chains: readonly Json[]): { readonly tls: boolean; readonly http: boolean } {
  const matches = chains.map((chain) => chain['filter_chain_match'] as Readonly<Record<string, unknown>>)
  return {
    tls: matches.some((match) => match['transport_protocol'] !== undefined || match['server_names'] !== undefined),
    http: matches.some((match) => (match['application_protocols'] as readonly string[] | undefined)?.includes(PLAIN_HTTP[0])),
  }
}

const INSPECTOR = 'envoy.extensions.filters.listener.'
export const TLS_INSPECTOR: Json = {
  name: 'envoy.filters.listener.tls_inspector',
  typed_config: any(`${INSPECTOR}tls_inspector.v3.TlsInspector`),
}
export const HTTP_INSPECTOR: Json = {
  name: 'envoy.filters.listener.http_inspector',
  typed_config: any(`${INSPECTOR}http_inspector.v3.HttpInspector`),
}
export const ORIGINAL_DST: Json = {
  name: 'envoy.filters.listener.original_dst',
  typed_config: any(`${INSPECTOR}original_dst.v3.OriginalDst`),
}

/** Envoy refuses two chains that match the same: the first one counts, as in the model. */
export function withoutDoubles(chains: readonly Json[], note: Note): readonly Json[] {
  const seen = new Map<string, unknown>()
  return chains.filter((chain) => {
    const match = JSON.stringify(Object.entries(chain['filter_chain_match'] as Json).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    if (seen.has(match))
      note(`chain ${String(chain['name'])} matches the same as ${String(seen.get(match))}, which comes first: it is left out`)
    else seen.set(match, chain['name'])
    return seen.get(match) === chain['name']
  })
}
