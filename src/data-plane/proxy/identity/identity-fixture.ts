import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { decodePem, encodePem, issueCertificate, keyIdOf, readRequest } from '../../../protocols/x509/index.ts'
import type { SignCertificateResponse } from '../../../protocols/mesh-link.ts'

const HOUR = 3_600_000

/** A certificate authority for tests: signs what it is asked to. */
export interface TestAuthority {
  readonly certificate: string
  sign(
    csrPem: string,
    leaf: { readonly uris: readonly string[]; readonly notBefore: number; readonly notAfter: number; readonly isCa?: boolean },
  ): string
  /** An authority below this one. */
  intermediate(nowMs: number): TestAuthority
}

export function testAuthority(nowMs: number, commonName = 'test CA'): TestAuthority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicKey = spki(keys.publicKey)
  const der = issueCertificate(
    { subject: { commonName }, isCa: true, keyUsages: ['keyCertSign'], publicKey, ...around(nowMs), serial: randomBytes(16) },
    { name: { commonName }, privateKey: keys.privateKey, keyId: keyIdOf(publicKey) },
  )
  return authority(commonName, keys.privateKey, encodePem('CERTIFICATE', der))
}

function authority(commonName: string, privateKey: KeyObject, certificate: string, above = ''): TestAuthority {
  const issuer = { name: { commonName }, privateKey, keyId: keyIdOf(spki(createPublicKey(privateKey))) }
  return {
    certificate,
    sign(csrPem, { uris, notBefore, notAfter, isCa = false }) {
      const { publicKey } = readRequest(decodePem(csrPem, 'CERTIFICATE REQUEST'))
      const der = issueCertificate(
        {
          subject: { commonName: '' },
          isCa,
          keyUsages: isCa ? ['digitalSignature', 'keyCertSign'] : ['digitalSignature'],
          extendedKeyUsages: ['serverAuth', 'clientAuth'],
          alternativeNames: uris.map((value) => ({ type: 'uri', value })),
          publicKey,
          notBefore,
          notAfter,
          serial: randomBytes(16),
        },
        issuer,
      )
      return encodePem('CERTIFICATE', der) + above
    },
    intermediate(nowMs) {
      const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const name = `${commonName} intermediate`
      const der = issueCertificate(
        {
          subject: { commonName: name },
          isCa: true,
          keyUsages: ['keyCertSign'],
          publicKey: spki(keys.publicKey),
          ...around(nowMs),
          serial: randomBytes(16),
        },
        issuer,
      )
      const pem = encodePem('CERTIFICATE', der)
      return authority(name, keys.privateKey, pem, pem)
    },
  }
}

/** Signs like a control plane: an hour for one ID. */
export function signer(options: {
  readonly ca: TestAuthority
  readonly spiffeId: string
  readonly trust: Readonly<Record<string, readonly string[]>>
  readonly nowMs: () => number
  readonly lifeMs?: number
  readonly issuer?: () => string
}): (csr: string) => Promise<SignCertificateResponse> {
  const { ca, spiffeId, trust, nowMs, lifeMs = HOUR, issuer = () => 'ca-1' } = options
  return (csr) =>
    Promise.resolve({
      certificate: ca.sign(csr, { uris: [spiffeId], notBefore: nowMs(), notAfter: nowMs() + lifeMs }),
      trust,
      spiffeId,
      issuer: issuer(),
    })
}

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })
const around = (nowMs: number): { notBefore: number; notAfter: number } => ({ notBefore: nowMs - HOUR, notAfter: nowMs + 1000 * HOUR })
