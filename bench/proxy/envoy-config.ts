import { join } from 'node:path'
import { FILES } from './certificates.ts'
import type { StackOptions } from './stack-proxy.ts'
import { allRoutes, DENIED_HEADER, routeName, routePrefix } from './work.ts'

const TYPE = 'type.googleapis.com/envoy.extensions'

/** Bootstrap of a static Envoy that does the same work: fifty routes, rbac, access log, statistics as they are by default. */
export function envoyConfig({ port, upstreamPort, downstream, upstream, tls, certificates, log }: StackOptions): object {
  return {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: socket(port),
          filter_chains: [
            {
              filters: [
                {
                  name: 'envoy.filters.network.http_connection_manager',
                  typed_config: connectionManager(tls === 'in' ? 'AUTO' : downstream === 'http2' ? 'HTTP2' : 'HTTP1', log),
                },
              ],
              ...(tls === 'in' ? { transport_socket: downstreamTls(certificates as string) } : {}),
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(upstreamPort) } }] }],
          },
          ...(upstream === 'http2' ? { typed_extension_protocol_options: HTTP2_UPSTREAM } : {}),
          ...(tls === 'out' ? { transport_socket: upstreamTls(certificates as string, upstream) } : {}),
        },
      ],
    },
  }
}

const socket = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } })

const HTTP2_UPSTREAM = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': `${TYPE}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  },
}

function connectionManager(codec: 'AUTO' | 'HTTP1' | 'HTTP2', log: string | undefined): object {
  return {
    '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'bench',
    codec_type: codec,
    use_remote_address: true,
    access_log: log
      ? [{ name: 'envoy.access_loggers.file', typed_config: { '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`, path: log } }]
      : [],
    http_filters: [
      { name: 'envoy.filters.http.rbac', typed_config: rbac('DENY', { any: true }, [denied]) },
      { name: 'envoy.filters.http.rbac.allow', typed_config: rbac('ALLOW', local, [{ any: true }]) },
      { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
    ],
    route_config: {
      name: 'bench',
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: allRoutes.map((i) => ({ name: routeName(i), match: { prefix: routePrefix(i) }, route: { cluster: 'app' } })),
        },
      ],
    },
  }
}

const denied = { header: { name: DENIED_HEADER, string_match: { exact: 'yes' } } }
const local = { direct_remote_ip: { address_prefix: '127.0.0.0', prefix_len: 8 } }

function rbac(action: 'ALLOW' | 'DENY', principal: object, permissions: readonly object[]): object {
  return {
    '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
    rules: { action, policies: { only: { permissions, principals: [principal] } } },
  }
}

function common(certificates: string, alpn: readonly string[]): object {
  const file = (name: string): object => ({ filename: join(certificates, name) })
  return {
    tls_certificates: [{ certificate_chain: file(FILES.certificate), private_key: file(FILES.privateKey) }],
    validation_context: { trusted_ca: file(FILES.ca) },
    alpn_protocols: alpn,
    tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
  }
}

const downstreamTls = (certificates: string): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: common(certificates, ['h2', 'http/1.1']),
  },
})

const upstreamTls = (certificates: string, protocol: 'http' | 'http2'): object => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: {
    '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: common(certificates, [protocol === 'http2' ? 'h2' : 'http/1.1']),
  },
})
