import { createHash, type KeyObject, sign } from 'node:crypto'
import {
  bitString,
  checkDer,
  childrenOfTag,
  contextTag,
  decodeDer,
  encodeDer,
  expectTag,
  octetString,
  oid,
  readTime,
  sequence,
  TAG,
  time,
  unsignedInteger,
} from './der.ts'
import { contextChildren, encodeExtension, encodeExtensions, type Extensions, readExtensions } from './extensions.ts'
import { type DistinguishedName, encodeName, readName } from './name.ts'
import { OID } from './oids.ts'

/** How far certificates reach into the past, so that a clock that is a little behind accepts them. */
export const CLOCK_SKEW_MS: number = 5 * 60 * 1000

export interface CertificateTemplate extends Partial<Extensions> {
  readonly subject: DistinguishedName
  /** SubjectPublicKeyInfo in DER (`publicKey.export({ type: 'spki', format: 'der' })`). */
  readonly publicKey: Uint8Array
  /** Milliseconds since 1970, whole seconds count. Callers subtract CLOCK_SKEW_MS from now. */
  readonly notBefore: number
  readonly notAfter: number
  /** At most 20 random bytes; the first bit is ignored. */
  readonly serial: Uint8Array
}

/** Who signs: a P-256 private key and what its own certificate calls it. */
export interface Issuer {
  readonly name: DistinguishedName
  readonly privateKey: KeyObject
  readonly keyId: Uint8Array
}

/** What a certificate says. Times in milliseconds since 1970. */
export interface CertificateInfo extends Extensions {
  readonly subject: DistinguishedName
  readonly issuer: DistinguishedName
  readonly notBefore: number
  readonly notAfter: number
  readonly serial: Buffer
  readonly publicKey: Buffer
}

/** Signs a certificate (X.509 v3, ECDSA with SHA-256). @returns DER */
export function issueCertificate(template: CertificateTemplate, issuer: Issuer): Buffer {
  const { subject, publicKey } = template
  const serial = Buffer.from(template.serial)
  // positive and not zero: RFC 5280 section 4.1.2.2
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const extensions = [
    ...encodeExtensions(template, subject.commonName === '' && !subject.organizations?.length),
    encodeExtension(OID.subjectKeyId, false, octetString(keyIdOf(publicKey))),
    encodeExtension(OID.authorityKeyId, false, sequence(encodeDer(contextTag(0, 'primitive'), issuer.keyId))),
  ]
  const toBeSigned = sequence(
    encodeDer(contextTag(0, 'constructed'), unsignedInteger(Buffer.from([2]))),
    unsignedInteger(serial),
    SIGNATURE_ALGORITHM,
    encodeName(issuer.name),
    sequence(time(template.notBefore), time(template.notAfter)),
    encodeName(subject),
    publicKey,
    encodeDer(contextTag(3, 'constructed'), sequence(...extensions)),
  )
  return sequence(toBeSigned, SIGNATURE_ALGORITHM, bitString(sign('sha256', toBeSigned, issuer.privateKey)))
}

/** Reads a certificate. Does not check its signature. @throws {DerError} */
export function readCertificate(der: Uint8Array): CertificateInfo {
  const root = decodeDer(der)
  checkDer(root)
  const [toBeSigned] = childrenOfTag(root, TAG.sequence)
  const fields = childrenOfTag(toBeSigned, TAG.sequence)
  const [serial, , issuer, validity, subject, publicKey] = fields[0]?.tag === contextTag(0, 'constructed') ? fields.slice(1) : fields
  const [notBefore, notAfter] = childrenOfTag(validity, TAG.sequence)
  return {
    serial: expectTag(serial, TAG.integer).content,
    issuer: readName(issuer),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    subject: readName(subject),
    publicKey: expectTag(publicKey, TAG.sequence).raw,
    ...readExtensions(contextChildren(fields, 3)[0]),
  }
}

/** Identifier of a public key: SHA-1 of its bits. Source: RFC 5280 section 4.2.1.2, method 1. */
export function keyIdOf(publicKey: Uint8Array): Buffer {
  const [, key] = childrenOfTag(decodeDer(publicKey), TAG.sequence)
  return createHash('sha1').update(expectTag(key, TAG.bitString).content.subarray(1)).digest()
}

const SIGNATURE_ALGORITHM = sequence(oid(OID.ecdsaWithSha256))
