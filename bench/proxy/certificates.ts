import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodePem, issueCertificate, keyIdOf } from '../../src/protocols/x509/index.ts'

export const TRUST_DOMAIN = 'bench.local'
export const IDENTITY: string = `spiffe://${TRUST_DOMAIN}/ns/bench/sa/proxy`
const HOUR = 3_600_000

/** Names of files in the folder: the authority; certificate and key, in one file too, as HAProxy wants them. */
export const FILES = { ca: 'ca.pem', certificate: 'proxy.pem', privateKey: 'proxy.key', both: 'proxy-with-key.pem' } as const

/** An authority and one certificate of it, P-256, for both ends of a hop. */
export function writeCertificates(dir: string): void {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = { commonName: 'bench authority' }
  const publicKey = spki(authority.publicKey)
  const issuer = { name, privateKey: authority.privateKey, keyId: keyIdOf(publicKey) }
  const times = { notBefore: Date.now() - HOUR, notAfter: Date.now() + 24 * HOUR }
  const ca = issueCertificate(
    { subject: name, isCa: true, keyUsages: ['keyCertSign'], publicKey, ...times, serial: randomBytes(16) },
    issuer,
  )
  const leaf = issueCertificate(
    {
      subject: { commonName: 'proxy' },
      isCa: false,
      keyUsages: ['digitalSignature'],
      extendedKeyUsages: ['serverAuth', 'clientAuth'],
      alternativeNames: [{ type: 'uri', value: IDENTITY }],
      publicKey: spki(own.publicKey),
      ...times,
      serial: randomBytes(16),
    },
    issuer,
  )
  const certificate = encodePem('CERTIFICATE', leaf)
  const privateKey = own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  writeFileSync(join(dir, FILES.ca), encodePem('CERTIFICATE', ca))
  writeFileSync(join(dir, FILES.certificate), certificate)
  writeFileSync(join(dir, FILES.privateKey), privateKey, { mode: 0o600 })
  writeFileSync(join(dir, FILES.both), certificate + privateKey, { mode: 0o600 })
}

export function readCertificates(dir: string): Readonly<Record<keyof typeof FILES, string>> {
  const read = (file: string): string => readFileSync(join(dir, file), 'utf8')
  return { ca: read(FILES.ca), certificate: read(FILES.certificate), privateKey: read(FILES.privateKey), both: read(FILES.both) }
}

const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })
