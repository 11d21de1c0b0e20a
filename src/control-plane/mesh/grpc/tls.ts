import { CERTIFICATE_PROVIDER } from '../../../policy/traffic/bootstrap/names.ts'
import { any, byText, type Json } from '../envoy/resource.ts'

const TLS = 'envoy.extensions.transport_sockets.tls.v3.'
const PROVIDER = { instance_name: CERTIFICATE_PROVIDER }

/** Certificates come from files that the bootstrap names: gRPC knows no secrets. Source: gRFC A29. */
export function serverSocket(): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: any(`${TLS}DownstreamTlsContext`, {
      require_client_certificate: true,
      common_tls_context: {
        tls_certificate_provider_instance: PROVIDER,
        validation_context: { ca_certificate_provider_instance: PROVIDER },
      },
    }),
  }
}

/** `identities`: one of them must be the server's. */
export function clientSocket(identities: readonly string[]): Json {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: any(`${TLS}UpstreamTlsContext`, {
      common_tls_context: {
        tls_certificate_provider_instance: PROVIDER,
        validation_context: {
          ca_certificate_provider_instance: PROVIDER,
          // the older of two ways to say it: the only one that all of gRPC's libraries read
          match_subject_alt_names: identities.toSorted(byText).map((exact) => ({ exact })),
        },
      },
    }),
  }
}
