import { APP_HEALTH_PREFIX, HEALTH_PORT, type AppProbes } from '../model/index.ts'
import { ADS_CLUSTER, LOCAL_SDS_CLUSTER } from './names.ts'

/** Where a gRPC server is: a unix socket, or a host whose certificate is checked. */
export type GrpcServer =
  | { readonly socket: string }
  | {
      readonly host: string
      readonly port: number
      /** Files in PEM; absent: without TLS (loopback alone). */
      readonly tls?: { readonly caFile: string; readonly certificateFile: string; readonly keyFile: string; readonly serverName: string }
    }

export interface EnvoyBootstrapOptions {
  /** `proxyName(...)`. */
  readonly id: string
  /** The service or gateway it is for. */
  readonly cluster: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly zone?: string
  readonly controlPlane: GrpcServer
  /** Unix socket of the node agent with identity and trust; absent: no mutual TLS. */
  readonly sdsSocket?: string
  /** Unix socket of the admin API; absent: none. */
  readonly adminSocket?: string
  /** Where readiness (`/healthz/ready`) and the application's HTTP probes are answered; default 0.0.0.0 at HEALTH_PORT. `elsewhere`: by somebody else. */
  readonly health?: { readonly address: string; readonly port: number } | 'elsewhere'
  readonly probes?: AppProbes
  /** Where the application listens, for probes without a host. Default 127.0.0.1. */
  readonly applicationAddress?: string
}

type Json = Record<string, unknown>

/**
 * Envoy's bootstrap as the JSON of its `--config-yaml` or a file: everything comes over one delta stream of the control plane, keys from the node agent.
 * Probes of the application that are no HTTP cannot be made by Envoy and are not answered (404). Source: Envoy documentation, bootstrap configuration.
 */
export function envoyBootstrap(options: EnvoyBootstrapOptions): Json {
  const { id, cluster, metadata, zone, adminSocket, sdsSocket, controlPlane } = options
  return {
    node: { id, cluster, ...(metadata ? { metadata } : {}), ...(zone === undefined ? {} : { locality: { zone } }) },
    ...(adminSocket === undefined ? {} : { admin: { address: pipe(adminSocket) } }),
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: ADS_CLUSTER } }],
      },
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        grpcCluster(ADS_CLUSTER, controlPlane),
        ...(sdsSocket === undefined ? [] : [grpcCluster(LOCAL_SDS_CLUSTER, { socket: sdsSocket })]),
        ...(adminSocket === undefined || options.health === 'elsewhere' ? [] : [staticCluster('admin', pipe(adminSocket))]),
        ...probeClusters(options),
      ],
      listeners: adminSocket === undefined || options.health === 'elsewhere' ? [] : [healthListener(options)],
    },
    stats_config: { stats_tags: [], use_all_default_tags: true },
    layered_runtime: { layers: [{ name: 'static', static_layer: { 're2.max_program_size.error_level': 1000 } }] },
  }
}

const pipe = (path: string): Json => ({ pipe: { path } })
const tcp = (address: string, port_value: number): Json => ({ socket_address: { address, port_value } })

const staticCluster = (name: string, address: Json): Json => ({
  name,
  type: 'STATIC',
  connect_timeout: '1s',
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
})

function grpcCluster(name: string, server: GrpcServer): Json {
  const address = 'socket' in server ? pipe(server.socket) : tcp(server.host, server.port)
  const tls = 'socket' in server ? undefined : server.tls
  return {
    ...staticCluster(name, address),
    type: 'socket' in server ? 'STATIC' : 'STRICT_DNS',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        // a peer that is gone without a word is noticed
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '5s' } } },
      },
    },
    ...(tls
      ? {
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
              sni: tls.serverName,
              common_tls_context: {
                alpn_protocols: ['h2'],
                tls_certificates: [{ certificate_chain: { filename: tls.certificateFile }, private_key: { filename: tls.keyFile } }],
                validation_context: {
                  trusted_ca: { filename: tls.caFile },
                  match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: tls.serverName } }],
                },
              },
            },
          },
        }
      : {}),
  }
}

const probeName = (path: string): string => `probe|${path}`

function httpProbes({
  probes = {},
  applicationAddress = '127.0.0.1',
}: EnvoyBootstrapOptions): readonly { path: string; target: string; host: string; port: number }[] {
  return Object.entries(probes).flatMap(([path, { httpGet }]) =>
    httpGet ? [{ path, target: httpGet.path ?? '/', host: httpGet.host ?? applicationAddress, port: httpGet.port }] : [],
  )
}

function probeClusters(options: EnvoyBootstrapOptions): readonly Json[] {
  return httpProbes(options).map(({ path, host, port }) => ({ ...staticCluster(probeName(path), tcp(host, port)), type: 'STRICT_DNS' }))
}

function healthListener(options: EnvoyBootstrapOptions): Json {
  const { address, port } = options.health && options.health !== 'elsewhere' ? options.health : { address: '0.0.0.0', port: HEALTH_PORT }
  const route = (path: string, cluster: string, target: string): Json => ({
    match: { path },
    route: { cluster, regex_rewrite: { pattern: { regex: '^.*$' }, substitution: target.replaceAll('\\', String.raw`\\`) } },
  })
  const probes = httpProbes(options).filter(({ path }) => path.startsWith(APP_HEALTH_PREFIX))
  return {
    name: 'health',
    address: tcp(address, port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'health',
              route_config: {
                virtual_hosts: [
                  {
                    name: 'health',
                    domains: ['*'],
                    routes: [
                      route('/healthz/ready', 'admin', '/ready'),
                      ...probes.map(({ path, target }) => route(path, probeName(path), target)),
                    ],
                  },
                ],
              },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                },
              ],
            },
          },
        ],
      },
    ],
  }
}
