import { randomBytes } from 'node:crypto'
import { type CertificateRequest, CLOCK_SKEW_MS, encodePem, issueCertificate, readRequest } from '../../../protocols/x509/index.ts'
import type { MeshAuthority } from './authority.ts'

export interface LeafRequest {
  /** PKCS#10 in DER; its subject and extensions are ignored: who asks decides what is in the certificate. */
  readonly csr: Uint8Array
  /** `spiffe://<trust domain>/<path>`; must be of the authority's domain. */
  readonly spiffeId: string
  /** Cut to the life of the authority. */
  readonly lifeMs: number
  readonly nowMs: number
}

export interface IssuedLeaf {
  /** PEM: the leaf, then intermediates. */
  readonly certificate: string
  readonly notAfterMs: number
}

/** Life of a leaf: Istio's and Linkerd's default. */
export const LEAF_LIFE_MS: number = 24 * 60 * 60 * 1000

/**
 * Signs a workload's certificate: empty subject, one critical URI, digitalSignature, server and client. Source: SPIFFE X509-SVID sections 2 to 4.
 * @throws {DerError} for requests that are unreadable or not signed with their key
 */
export function issueLeaf(authority: MeshAuthority, request: LeafRequest): IssuedLeaf {
  const { csr, spiffeId, lifeMs, nowMs } = request
  if (!spiffeId.startsWith(`spiffe://${authority.trustDomain}/`)) {
    throw new Error(`${spiffeId} is not of trust domain ${authority.trustDomain}`)
  }
  const { publicKey }: CertificateRequest = readRequest(csr)
  const notAfter = Math.min(nowMs + lifeMs, authority.info.notAfter)
  const leaf = issueCertificate(
    {
      subject: { commonName: '' },
      isCa: false,
      keyUsages: ['digitalSignature'],
      extendedKeyUsages: ['serverAuth', 'clientAuth'],
      alternativeNames: [{ type: 'uri', value: spiffeId }],
      publicKey,
      notBefore: nowMs - CLOCK_SKEW_MS,
      notAfter,
      serial: randomBytes(16),
    },
    authority.issuer,
  )
  const isSelfSigned = authority.info.subject.commonName === authority.info.issuer.commonName
  // clients have roots alone: what is between goes with the leaf
  return { certificate: encodePem('CERTIFICATE', leaf) + (isSelfSigned ? '' : authority.certificate), notAfterMs: notAfter }
}
