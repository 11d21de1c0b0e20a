import { IDENTITY_SECRET, LOCAL_SDS_CLUSTER, TRUST_SECRET } from '../../../policy/traffic/bootstrap/names.ts'
import type { DownstreamTls, StringMatch, TlsVersions, UpstreamTls } from '../../../policy/traffic/model/index.ts'
import { stringMatcher } from './match.ts'
import { ADS, any, byText, type Json } from './resource.ts'

/** Where Debian and its descendants keep the CAs of the system; Envoy has no notion of them. */
export const SYSTEM_CA_FILE = '/etc/ssl/certs/ca-certificates.crt'

const TLS = 'envoy.extensions.transport_sockets.tls.v3.'

const local = (name: string): Json => ({
  name,
  sds_config: {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: LOCAL_SDS_CLUSTER } }],
    },
  },
})
const distributed = (name: string): Json => ({ name, sds_config: ADS })

/** Envoy's secrets are either a certificate or CAs; the model's may be both. */
export const caSecretName = (name: string): string => `ca|${name}`

const uriMatcher = (matcher: Json): Json => ({ san_type: 'URI', matcher })

/** Identities that are accepted: these, or all of the trusted domains; none is trusted where there are no domains. */
function meshValidation(identities: readonly StringMatch[], trustDomains: readonly string[]): Json {
  const matchers =
    identities.length > 0
      ? identities.map((match) => uriMatcher(stringMatcher(match)))
      : trustDomains.toSorted(byText).map((domain) => uriMatcher({ prefix: `spiffe://${domain}/` }))
  return {
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names: matchers.length > 0 ? matchers : [uriMatcher({ exact: 'spiffe:' })] },
      validation_context_sds_secret_config: local(TRUST_SECRET),
    },
  }
}

const versions = ({ min, max }: TlsVersions = {}, ciphers?: readonly string[], fallback?: 'TLS12' | 'TLS13'): Json => ({
  tls_minimum_protocol_version: version(min ?? fallback),
  tls_maximum_protocol_version: version(max),
  cipher_suites: ciphers,
})
const version = (name: 'TLS12' | 'TLS13' | undefined): string | undefined => (name ? `TLSv1_${name.slice(4)}` : undefined)

const socket = (type: 'DownstreamTlsContext' | 'UpstreamTlsContext', fields: Json): Json => ({
  name: 'envoy.transport_sockets.tls',
  typed_config: any(`${TLS}${type}`, fields),
})

/** `transport_socket` of a chain where TLS of the mesh ends; `alpn` is what is answered, `identities` those that may come in at all (empty: all trusted). */
export function meshServerSocket(
  tls: DownstreamTls & { mode: 'mesh' },
  trustDomains: readonly string[],
  alpn: readonly string[],
  identities: readonly StringMatch[] = [],
): Json {
  return socket('DownstreamTlsContext', {
    require_client_certificate: true,
    common_tls_context: {
      tls_params: versions(tls.versions, tls.ciphers, 'TLS12'),
      alpn_protocols: alpn,
      tls_certificate_sds_secret_configs: [local(IDENTITY_SECRET)],
      ...meshValidation(identities, trustDomains),
    },
  })
}

/** `transport_socket` of a chain with certificates of its own. */
export function terminateSocket(tls: DownstreamTls & { mode: 'terminate' }): Json {
  return socket('DownstreamTlsContext', {
    require_client_certificate: tls.clientCa === undefined ? undefined : true,
    common_tls_context: {
      tls_params: versions(tls.versions, tls.ciphers, 'TLS12'),
      alpn_protocols: tls.alpn,
      tls_certificate_sds_secret_configs: tls.certificates.map((name) => distributed(name)),
      validation_context_sds_secret_config: tls.clientCa === undefined ? undefined : distributed(caSecretName(tls.clientCa)),
    },
  })
}

/** `transport_socket` to an endpoint of the mesh. */
export function meshClientSocket(
  identities: readonly string[],
  trustDomains: readonly string[],
  sni: string | undefined,
  alpn: readonly string[],
): Json {
  return socket('UpstreamTlsContext', {
    sni,
    common_tls_context: {
      tls_params: versions(undefined, undefined, 'TLS12'),
      alpn_protocols: alpn,
      tls_certificate_sds_secret_configs: [local(IDENTITY_SECRET)],
      ...meshValidation(
        identities.toSorted(byText).map((exact) => ({ exact })),
        trustDomains,
      ),
    },
  })
}

/** `transport_socket` to a server outside of the mesh. */
export function clientSocket(tls: UpstreamTls & { mode: 'tls' }): Json {
  const names: readonly StringMatch[] =
    tls.subjectAltNames ?? (tls.verify === 'full' && tls.serverName !== undefined ? [{ exact: tls.serverName }] : [])
  const matchers =
    tls.verify === 'full' ? names.flatMap((name) => typesOf(name).map((san_type) => ({ san_type, matcher: stringMatcher(name) }))) : []
  const context = { match_typed_subject_alt_names: matchers }
  return socket('UpstreamTlsContext', {
    sni: tls.serverName,
    common_tls_context: {
      tls_params: tls.versions ? versions(tls.versions) : undefined,
      alpn_protocols: tls.alpn,
      tls_certificate_sds_secret_configs: tls.certificate === undefined ? undefined : [distributed(tls.certificate)],
      ...(tls.verify === 'none'
        ? {}
        : tls.ca === undefined
          ? { validation_context: { ...context, trusted_ca: { filename: SYSTEM_CA_FILE } } }
          : {
              combined_validation_context: {
                default_validation_context: context,
                validation_context_sds_secret_config: distributed(caSecretName(tls.ca)),
              },
            }),
    },
  })
}

/** URIs are told by their scheme. */
function typesOf(match: StringMatch): readonly string[] {
  const [text = ''] = Object.values(match)
  return typeof text === 'string' && text.includes('://')
    ? ['URI']
    : typeof text === 'string' && /^[\d.]+$|^[\da-f]*:[\da-f:]*$/i.test(text)
      ? ['IP_ADDRESS']
      : ['DNS']
}
