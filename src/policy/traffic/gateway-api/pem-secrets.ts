import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ConfigMap, Secret } from '../../../api/generated/types.ts'
import type { Secret as ModelSecret } from '../model/index.ts'

/** Names of secrets in the intermediate form. */
export const secretName = (namespace: string, name: string): string => `secret/${namespace}/${name}`
export const authoritiesName = (references: readonly string[]): string => `ca/${references.join('+')}`

/** Certificate and key of a Secret, or why it has none that can be used. */
export function readServerSecret(secret: Secret, name: string): ModelSecret | string {
  const certificate = textOf(secret.data?.['tls.crt'])
  const privateKey = textOf(secret.data?.['tls.key'])
  if (!certificate || !privateKey) return 'has no tls.crt and tls.key'
  try {
    const leaf = new X509Certificate(certificate)
    if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) return 'has a tls.key that is not the key of its tls.crt'
  } catch {
    return 'has a tls.crt or tls.key that is no PEM of a certificate or key'
  }
  return { name, certificate, privateKey }
}

/** PEM of the authorities in `ca.crt`, or undefined where there are none. */
export function readAuthorities(source: ConfigMap | Secret | undefined): string | undefined {
  if (!source) return undefined
  const value = source.data?.['ca.crt']
  const pem = 'type' in source || source.kind === 'Secret' ? textOf(value) : value
  if (!pem) return undefined
  try {
    void new X509Certificate(pem)
    return pem
  } catch {
    return undefined
  }
}

function textOf(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString()
}
