import { IDENTITY_SECRET, TRUST_SECRET } from './names.ts'

/** Messages of type envoy.extensions.transport_sockets.tls.v3.Secret in the JSON form of protocols/xds: what the node agent's socket gives out. */
type Json = Record<string, unknown>

/** The proxy's own certificate (PEM, leaf first) and key (PEM). */
export function identitySecret(certificate: string, privateKey: string): Json {
  return {
    name: IDENTITY_SECRET,
    tls_certificate: { certificate_chain: { inline_string: certificate }, private_key: { inline_string: privateKey } },
  }
}

/**
 * CA certificates in PEM by trust domain. Envoy's SPIFFE validator accepts an identity of a domain from the CAs of that domain alone. Source: Envoy API,
 * SPIFFECertValidatorConfig.
 */
export function trustSecret(trust: Readonly<Record<string, readonly string[]>>): Json {
  const validator = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig'
  return {
    name: TRUST_SECRET,
    validation_context: {
      custom_validator_config: {
        name: 'envoy.tls.cert_validator.spiffe',
        typed_config: {
          '@type': `type.googleapis.com/${validator}`,
          trust_domains: Object.keys(trust)
            .toSorted((a, b) => (a < b ? -1 : 1))
            .map((name) => ({ name, trust_bundle: { inline_string: (trust[name] ?? []).join('\n') } })),
        },
      },
    },
  }
}
