/** A CA and leaf certificates for tests. */
import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import { type AlternativeName, issueCertificate, type Issuer, keyIdOf } from './index.ts'

export const NOW: number = Date.UTC(2026, 0, 1)
export const DAY: number = 86_400_000
export const caKeys: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })
export const issuer: Issuer = { name: { commonName: 'test-ca' }, privateKey: caKeys.privateKey, keyId: keyIdOf(spki(caKeys.publicKey)) }
export const ca: Buffer = issueCertificate(
  {
    subject: issuer.name,
    publicKey: spki(caKeys.publicKey),
    notBefore: NOW,
    notAfter: NOW + 3650 * DAY,
    serial: Buffer.alloc(16, 1),
    isCa: true,
    keyUsages: ['keyCertSign', 'cRLSign'],
  },
  issuer,
)
export const leafKeys: KeyPairKeyObjectResult = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** A certificate of `issuer` for the key `leafKeys`. */
export function leaf(names: readonly AlternativeName[], commonName = 'web', organizations: readonly string[] = ['a', 'b']): Buffer {
  return issueCertificate(
    {
      subject: { commonName, organizations },
      publicKey: spki(leafKeys.publicKey),
      notBefore: NOW,
      notAfter: NOW + DAY,
      serial: Buffer.alloc(16, 0xff),
      isCa: false,
      keyUsages: ['digitalSignature', 'keyEncipherment'],
      extendedKeyUsages: ['serverAuth', 'clientAuth'],
      alternativeNames: names,
    },
    issuer,
  )
}

export const NAMES: readonly AlternativeName[] = [
  { type: 'dns', value: 'web.example.com' },
  { type: 'ip', value: '10.96.0.1' },
  { type: 'ip', value: '::1' },
  { type: 'ip', value: '2001:db8::a:0:0:1' },
  { type: 'uri', value: 'spiffe://cluster.local/ns/default/sa/web' },
]
