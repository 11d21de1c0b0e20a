import { CERTIFICATE_PROVIDER, GRPC_SERVER_TEMPLATE } from './names.ts'

export interface GrpcBootstrapOptions {
  /** `proxyName(...)`. */
  readonly id: string
  readonly cluster?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly zone?: string
  /** The node agent's relay, such as `unix:/run/biplane/xds.sock` or `127.0.0.1:15010`: proxyless gRPC has no TLS of its own to a control plane everywhere. */
  readonly server: string
  /** Files that the node agent writes and renews; absent: no mutual TLS. */
  readonly certificates?: {
    readonly certificateFile: string
    readonly keyFile: string
    readonly caFile: string
    readonly refreshMs?: number
  }
}

/**
 * What gRPC reads from GRPC_XDS_BOOTSTRAP (a file) or GRPC_XDS_BOOTSTRAP_CONFIG (the text). Source: gRFC A27, A29, A36.
 */
export function grpcBootstrap(options: GrpcBootstrapOptions): Record<string, unknown> {
  const { id, cluster, metadata, zone, server, certificates } = options
  return {
    xds_servers: [{ server_uri: server, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    // grpc-js wants a locality, be it empty
    node: {
      id,
      ...(cluster === undefined ? {} : { cluster }),
      ...(metadata ? { metadata } : {}),
      locality: zone === undefined ? {} : { zone },
    },
    server_listener_resource_name_template: GRPC_SERVER_TEMPLATE,
    ...(certificates
      ? {
          certificate_providers: {
            [CERTIFICATE_PROVIDER]: {
              plugin_name: 'file_watcher',
              config: {
                certificate_file: certificates.certificateFile,
                private_key_file: certificates.keyFile,
                ca_certificate_file: certificates.caFile,
                refresh_interval: `${(certificates.refreshMs ?? 10_000) / 1000}s`,
              },
            },
          },
        }
      : {}),
  }
}
