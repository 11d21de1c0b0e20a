import type { AccessLog, Listener, Tracing } from '../../../policy/traffic/model/index.ts'
import { any, byText, type Json, type Note } from './resource.ts'

/** Someone who collects telemetry: reached through a cluster of its own. */
interface Collector {
  readonly host: string
  readonly port: number
  readonly http2: boolean
}

const DEFAULT_PORT = { otlp: 4317, zipkin: 9411, datadog: 8126 } as const

/** `host:port`, or a URL. */
function collector(text: string, kind: keyof typeof DEFAULT_PORT): Collector {
  const url = new URL(text.includes('://') ? text : `http://${text}`)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT[kind] : Number(url.port),
    http2: kind === 'otlp',
  }
}

const clusterName = ({ host, port, http2 }: Collector): string => `telemetry|${host}|${port}${http2 ? '|http2' : ''}`

/** `access_log` of a chain. Envoy writes lines to no socket: logs of type `tcp` are left out. */
export function accessLogs(logs: readonly AccessLog[], note: Note): readonly Json[] {
  return logs.flatMap(({ name, sink, format }) => {
    const log_format: Json = {
      ...(format.type === 'text' ? { text_format_source: { inline_string: format.text } } : { json_format: format.fields }),
      omit_empty_values: format.type === 'json' && format.omitEmpty === true,
    }
    switch (sink.type) {
      case 'stdout':
        return [{ name, typed_config: any('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', { log_format }) }]
      case 'file':
        return [{ name, typed_config: any('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path: sink.path, log_format }) }]
      case 'tcp':
        note(`access log ${name}: Envoy sends no lines over TCP (${sink.address}); this log is left out`)
        return []
      case 'otlp': {
        const string = (value: string): Json => ({ string_value: value })
        const list = (fields: Readonly<Record<string, string>>): Json => ({
          values: Object.entries(fields).map(([key, value]) => ({ key, value: string(value) })),
        })
        const typed_config = any('envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig', {
          common_config: {
            log_name: name,
            transport_api_version: 'V3',
            grpc_service: { envoy_grpc: { cluster_name: clusterName(collector(sink.endpoint, 'otlp')) } },
          },
          body: format.type === 'text' ? string(format.text.replace(/\n$/, '')) : { kvlist_value: list(format.fields) },
          attributes: sink.attributes ? list(sink.attributes) : undefined,
        })
        return [{ name, typed_config }]
      }
    }
  })
}

/** `tracing` of a connection manager. */
export function tracing({ backend, overall, client, random, tags }: Tracing, serviceName: string): Json {
  return {
    overall_sampling: { value: overall },
    client_sampling: { value: client },
    random_sampling: { value: random },
    custom_tags: tags.map(({ name, literal, header }) =>
      header
        ? { tag: name, request_header: { name: header.name, default_value: header.default } }
        : { tag: name, literal: { value: literal === undefined || literal === '' ? '-' : literal } },
    ),
    provider: provider(backend, serviceName),
  }
}

function provider(backend: Tracing['backend'], serviceName: string): Json {
  const cluster = tracingCollector(backend)
  switch (backend.type) {
    case 'otlp':
      return {
        name: 'envoy.tracers.opentelemetry',
        typed_config: any('envoy.config.trace.v3.OpenTelemetryConfig', {
          grpc_service: { envoy_grpc: { cluster_name: clusterName(cluster) } },
          service_name: serviceName,
        }),
      }
    case 'zipkin':
      return {
        name: 'envoy.tracers.zipkin',
        typed_config: any('envoy.config.trace.v3.ZipkinConfig', {
          collector_cluster: clusterName(cluster),
          collector_endpoint: new URL(backend.url).pathname,
          collector_hostname: cluster.host,
          collector_endpoint_version: 'HTTP_JSON',
          trace_id_128bit: true,
          shared_span_context: false,
        }),
      }
    case 'datadog':
      return {
        name: 'envoy.tracers.datadog',
        typed_config: any('envoy.config.trace.v3.DatadogConfig', { collector_cluster: clusterName(cluster), service_name: serviceName }),
      }
  }
}

const tracingCollector = (backend: Tracing['backend']): Collector =>
  backend.type === 'otlp'
    ? collector(backend.endpoint, 'otlp')
    : collector(backend.type === 'zipkin' ? backend.url : backend.address, backend.type)

/** Clusters of those whom logs and traces of these listeners go to, by name. */
export function telemetryClusters(listeners: readonly Listener[]): readonly Json[] {
  const found = new Map<string, Collector>()
  const add = (one: Collector): void => void found.set(clusterName(one), one)
  for (const { http, tcp } of listeners.flatMap(({ chains }) => chains)) {
    for (const { sink } of [...(http?.accessLogs ?? []), ...(tcp?.accessLogs ?? [])])
      if (sink.type === 'otlp') add(collector(sink.endpoint, 'otlp'))
    if (http?.tracing) add(tracingCollector(http.tracing.backend))
  }
  return [...found]
    .toSorted(([a], [b]) => byText(a, b))
    .map(([name, { host, port, http2 }]) => ({
      name,
      type: 'STRICT_DNS',
      connect_timeout: 5000,
      load_assignment: {
        cluster_name: name,
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: host, port_value: port } } } }] }],
      },
      typed_extension_protocol_options: http2
        ? {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': any('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', {
              explicit_http_config: { http2_protocol_options: {} },
            }),
          }
        : undefined,
    }))
}
