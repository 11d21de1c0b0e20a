import type { Secret } from '../../../policy/traffic/model/index.ts'
import type { Json } from './resource.ts'
import { caSecretName } from './tls.ts'

/** Envoy's secrets for one of the model: a certificate under its name, CAs under `caSecretName`. */
export function secretsOf({ name, certificate, privateKey, ca }: Secret): readonly Json[] {
  return [
    ...(certificate !== undefined && privateKey !== undefined
      ? [{ name, tls_certificate: { certificate_chain: { inline_string: certificate }, private_key: { inline_string: privateKey } } }]
      : []),
    ...(ca === undefined ? [] : [{ name: caSecretName(name), validation_context: { trusted_ca: { inline_string: ca } } }]),
  ]
}
