/** A CA of a mesh, and identities signed by it. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { CLOCK_SKEW_MS, encodePem, issueCertificate, keyIdOf, type AlternativeName } from '../../src/protocols/x509/index.ts'

export interface Identity {
  readonly certificate: string
  readonly privateKey: string
}

export interface MeshCa {
  readonly trust: Readonly<Record<string, readonly string[]>>
  readonly ca: string
  identity(spiffeId: string): Identity
  server(host: string): Identity
}

const DAY_MS = 86_400_000

export function meshCa(trustDomain: string): MeshCa {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
  const issuer = { name: { commonName: `ca of ${trustDomain}` }, privateKey: keys.privateKey, keyId: keyIdOf(spki) }
  const validity = { notBefore: Date.now() - CLOCK_SKEW_MS, notAfter: Date.now() + DAY_MS }
  const root = issueCertificate(
    {
      ...validity,
      subject: issuer.name,
      publicKey: spki,
      serial: randomBytes(16),
      isCa: true,
      keyUsages: ['keyCertSign', 'cRLSign'],
      alternativeNames: [{ type: 'uri', value: `spiffe://${trustDomain}` }],
    },
    issuer,
  )
  const ca = encodePem('CERTIFICATE', root)
  const sign = (name: AlternativeName): Identity => {
    const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const certificate = issueCertificate(
      {
        ...validity,
        subject: { commonName: '' },
        publicKey: leaf.publicKey.export({ type: 'spki', format: 'der' }),
        serial: randomBytes(16),
        isCa: false,
        keyUsages: ['digitalSignature'],
        extendedKeyUsages: ['serverAuth', 'clientAuth'],
        alternativeNames: [name],
      },
      issuer,
    )
    return {
      certificate: encodePem('CERTIFICATE', certificate),
      privateKey: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    }
  }
  return {
    ca,
    trust: { [trustDomain]: [ca] },
    identity: (spiffeId) => sign({ type: 'uri', value: spiffeId }),
    server: (host) => sign({ type: 'dns', value: host }),
  }
}
