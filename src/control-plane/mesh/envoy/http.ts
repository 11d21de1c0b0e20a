import type { HttpConnectionManager, HttpFilter, Listener } from '../../../policy/traffic/model/index.ts'
import { chainFilters } from './http-filter.ts'
import { ADS, any, type Json, type Note } from './resource.ts'
import { accessLogs, tracing } from './telemetry.ts'

export const HCM = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'
const ROUTER = 'envoy.extensions.filters.http.router.v3.Router'
/** Routes with session persistence switch it on. */
export const SESSION_FILTER = 'session'

/** What a connection manager is generated from besides itself. */
export interface HttpContext {
  readonly listener: Pick<Listener, 'direction' | 'address'>
  /** Filters of all routes that it may get: each needs its place in the chain. */
  readonly routeFilters: readonly HttpFilter[]
  /** How traces name this proxy. */
  readonly serviceName: string
  readonly note: Note
}

/** A connection manager as a network filter. */
export function httpFilter(http: HttpConnectionManager, codec: 'AUTO' | 'HTTP1' | 'HTTP2', context: HttpContext): Json {
  const { direction, address } = context.listener
  const port = direction === 'outbound' ? {} : { port: address.port }
  const filters = chainFilters(http.filters, context.routeFilters, { layer: 'http', ...port }, context.note)
  const { timeouts } = http
  const details = http.clientCertDetails ?? (direction === 'inbound' ? 'sanitize-set' : 'sanitize')
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: any(HCM, {
      stat_prefix: http.statPrefix,
      codec_type: codec,
      rds: { route_config_name: http.routes, config_source: ADS },
      http_filters: [
        ...filters,
        ...(direction === 'inbound'
          ? []
          : [{ name: SESSION_FILTER, typed_config: any('envoy.extensions.filters.http.stateful_session.v3.StatefulSession') }]),
        { name: 'envoy.filters.http.router', typed_config: any(ROUTER) },
      ],
      common_http_protocol_options: {
        idle_timeout: timeouts.idleMs ?? 3_600_000,
        max_stream_duration: timeouts.maxStreamDurationMs || undefined,
        max_connection_duration: timeouts.maxConnectionDurationMs || undefined,
      },
      http2_protocol_options: { allow_connect: true },
      request_headers_timeout: timeouts.requestHeadersMs ?? 10_000,
      request_timeout: timeouts.requestMs || undefined,
      stream_idle_timeout: timeouts.streamIdleMs ?? 300_000,
      forward_client_cert_details: details === 'sanitize' ? 'SANITIZE' : details === 'forward' ? 'FORWARD_ONLY' : 'SANITIZE_SET',
      set_current_client_cert_details: details === 'sanitize-set' ? { uri: true } : undefined,
      use_remote_address: direction === 'gateway',
      xff_num_trusted_hops: http.trustedHops,
      skip_xff_append: direction === 'gateway' ? !http.appendForwardedFor : undefined,
      max_request_headers_kb: Math.min(8192, Math.ceil((http.maxHeaderBytes ?? 65_536) / 1024)),
      ...(http.serverName === undefined
        ? { server_header_transformation: 'PASS_THROUGH' }
        : { server_name: http.serverName, server_header_transformation: 'APPEND_IF_ABSENT' }),
      normalize_path: true,
      merge_slashes: false,
      path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      access_log: accessLogs(http.accessLogs, context.note),
      tracing: http.tracing ? tracing(http.tracing, context.serviceName) : undefined,
    }),
  }
}
