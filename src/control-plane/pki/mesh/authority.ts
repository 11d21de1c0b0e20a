import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { messageOf } from '../../../base/errors.ts'
import {
  type CertificateInfo,
  CLOCK_SKEW_MS,
  decodePem,
  encodePem,
  issueCertificate,
  type Issuer,
  keyIdOf,
  readCertificate,
} from '../../../protocols/x509/index.ts'
import { PkiError } from '../pki.ts'

/** A certificate authority of one trust domain, ready to sign. */
export interface MeshAuthority {
  /** First 16 hex digits of the SHA-256 of its certificate: names it in status, logs and metrics. */
  readonly id: string
  readonly trustDomain: string
  /** PEM; with intermediates after it where it is not self-signed. */
  readonly certificate: string
  readonly info: CertificateInfo
  readonly issuer: Issuer
}

/** Certificate and private key (PKCS#8) in PEM, as a Secret holds them. */
export interface AuthorityFiles {
  readonly certificate: string
  readonly privateKey: string
}

const DAY_MS = 24 * 60 * 60 * 1000
/** Kuma's default for its own authorities. */
export const AUTHORITY_DAYS: number = 10 * 365

/**
 * Makes a self-signed authority (P-256) for a trust domain. Its certificate follows SPIFFE X509-SVID section 4: a URI of the trust domain without a
 * path, keyCertSign and cRLSign.
 */
export function createAuthority(options: { readonly trustDomain: string; readonly nowMs: number; readonly days?: number }): AuthorityFiles {
  const { trustDomain, nowMs, days = AUTHORITY_DAYS } = options
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' })
  const name = { commonName: `biplane mesh CA ${randomBytes(4).toString('hex')}`, organizations: [trustDomain] }
  const certificate = issueCertificate(
    {
      subject: name,
      isCa: true,
      keyUsages: ['keyCertSign', 'cRLSign'],
      alternativeNames: [{ type: 'uri', value: `spiffe://${trustDomain}` }],
      publicKey,
      notBefore: nowMs - CLOCK_SKEW_MS,
      notAfter: nowMs + days * DAY_MS,
      serial: randomBytes(16),
    },
    { name, privateKey: keys.privateKey, keyId: keyIdOf(publicKey) },
  )
  return {
    certificate: encodePem('CERTIFICATE', certificate),
    privateKey: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/**
 * Opens an authority, our own or one that was brought along in a Secret.
 * @throws {PkiError} saying what is wrong: unreadable, key and certificate differ, no CA, not P-256, a foreign trust domain, run out
 */
export function openAuthority(files: AuthorityFiles, trustDomain: string, nowMs: number): MeshAuthority {
  const refuse = (why: string, cause?: unknown): PkiError =>
    new PkiError(`the certificate authority of trust domain "${trustDomain}" cannot be used: ${why}`, { cause })
  let privateKey: KeyObject
  let parsed: X509Certificate
  let info: CertificateInfo
  try {
    privateKey = createPrivateKey(files.privateKey)
    parsed = new X509Certificate(files.certificate)
    info = readCertificate(decodePem(firstCertificate(files.certificate), 'CERTIFICATE'))
  } catch (error) {
    throw refuse(messageOf(error), error)
  }
  if (!parsed.checkPrivateKey(privateKey)) throw refuse('its private key is not the one of its certificate')
  if (!info.isCa) throw refuse('its certificate is no CA certificate (basicConstraints)')
  if (privateKey.asymmetricKeyType !== 'ec' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw refuse('its key must be an ECDSA key on P-256')
  }
  const domains = info.alternativeNames.flatMap(({ type, value }) =>
    type === 'uri' && value.startsWith('spiffe://') ? [value.slice(9)] : [],
  )
  // a CA made by other tools need not name a domain; one that does must name ours
  if (domains.length > 0 && !domains.includes(trustDomain)) throw refuse(`its certificate is for ${domains.join(', ')}`)
  if (info.notAfter <= nowMs) throw refuse(`it ran out at ${new Date(info.notAfter).toISOString()}`)
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  return {
    id: authorityId(files.certificate),
    trustDomain,
    certificate: files.certificate,
    info,
    issuer: { name: info.subject, privateKey, keyId: keyIdOf(publicKey) },
  }
}

/** See MeshAuthority.id. Other certificates of the chain do not count. */
export function authorityId(certificate: string): string {
  return createHash('sha256')
    .update(decodePem(firstCertificate(certificate), 'CERTIFICATE'))
    .digest('hex')
    .slice(0, 16)
}

function firstCertificate(pem: string): string {
  return /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(pem)?.[0] ?? pem
}
