/**
 * X.509 as far as a control plane needs it: certificates and certificate requests with P-256 keys, in bytes and PEM.
 *
 *   der.ts          the encoding: tag, length, value
 *   oids.ts         the object identifiers used
 *   pem.ts          the text armour
 *   name.ts         distinguished names of commonName and organizations
 *   extensions.ts   subject alternative names, key usages, basic constraints
 *   certificate.ts  issues certificates and reads them
 *   csr.ts          makes and reads PKCS#10 requests and checks their signature
 *
 * No sockets, no files, no clock: times come in as milliseconds. Signatures are ECDSA with SHA-256 (node:crypto).
 * Sources: RFC 5280 (certificates), RFC 2986 (requests), RFC 5480 (EC keys), ITU-T X.690 (DER).
 */
export {
  type CertificateInfo,
  type CertificateTemplate,
  CLOCK_SKEW_MS,
  issueCertificate,
  type Issuer,
  keyIdOf,
  readCertificate,
} from './certificate.ts'
export { type CertificateRequest, createRequest, readRequest } from './csr.ts'
export { DerError } from './der.ts'
export type { AlternativeName, ExtendedKeyUsage, KeyUsage } from './extensions.ts'
export type { DistinguishedName } from './name.ts'
export { decodePem, encodePem, PemError } from './pem.ts'
