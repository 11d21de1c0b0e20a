import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import {
  bitString,
  checkDer,
  childrenOfTag,
  contextTag,
  decodeDer,
  DerError,
  encodeDer,
  expectTag,
  oid,
  readBitString,
  readOid,
  sequence,
  setOf,
  TAG,
  unsignedInteger,
} from './der.ts'
import { contextChildren, encodeExtensions, type Extensions, readExtensions } from './extensions.ts'
import { type DistinguishedName, encodeName, readName } from './name.ts'
import { OID } from './oids.ts'

/** What a PKCS#10 request asks for. */
export interface CertificateRequest extends Extensions {
  readonly subject: DistinguishedName
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Buffer
}

/** Signs a certificate request with a P-256 private key. @returns DER */
export function createRequest(
  request: { readonly subject: DistinguishedName } & Partial<Extensions>,
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
): Buffer {
  const extensions = encodeExtensions(request, false)
  const attribute = sequence(oid(OID.extensionRequest), setOf(sequence(...extensions)))
  const info = sequence(
    unsignedInteger(Buffer.from([0])),
    encodeName(request.subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    encodeDer(contextTag(0, 'constructed'), ...(extensions.length === 0 ? [] : [attribute])),
  )
  return sequence(info, sequence(oid(OID.ecdsaWithSha256)), bitString(sign('sha256', info, keys.privateKey)))
}

/**
 * Reads a request and checks that it is signed with the key it names: ECDSA with SHA-256 or SHA-384, RSA with SHA-256, or
 * Ed25519. @throws {DerError}
 */
export function readRequest(der: Uint8Array): CertificateRequest {
  const root = decodeDer(der)
  checkDer(root)
  const [info, algorithm, signature] = childrenOfTag(root, TAG.sequence)
  const fields = childrenOfTag(info, TAG.sequence)
  const [, subject, publicKey] = fields
  const [algorithmId] = childrenOfTag(algorithm, TAG.sequence)
  const method = METHODS.get(readOid(algorithmId))
  if (method === undefined) throw new DerError('the request must be signed with ECDSA, RSA and SHA-256, or Ed25519')
  const spki = expectTag(publicKey, TAG.sequence).raw
  if (!isSignedBy(spki, method, { data: expectTag(info, TAG.sequence).raw, signature: readBitString(signature) })) {
    throw new DerError('the signature of the request does not match its key')
  }
  return { subject: readName(subject), publicKey: spki, ...readExtensions(requestedExtensions(contextChildren(fields, 0))) }
}

interface Method {
  readonly keyType: string
  readonly digest: string | null
}

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  [OID.ecdsaWithSha256, { keyType: 'ec', digest: 'sha256' }],
  [OID.ecdsaWithSha384, { keyType: 'ec', digest: 'sha384' }],
  [OID.rsaWithSha256, { keyType: 'rsa', digest: 'sha256' }],
  [OID.ed25519, { keyType: 'ed25519', digest: null }],
])

function isSignedBy(spki: Buffer, method: Method, signed: { readonly data: Buffer; readonly signature: Buffer }): boolean {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    return key.asymmetricKeyType === method.keyType && verify(method.digest, signed.data, key, signed.signature)
  } catch {
    // node:crypto throws for keys it cannot read
    return false
  }
}

function requestedExtensions(attributes: ReturnType<typeof contextChildren>): ReturnType<typeof contextChildren>[number] | undefined {
  for (const attribute of attributes) {
    const [type, values] = childrenOfTag(attribute, TAG.sequence)
    if (readOid(type) === OID.extensionRequest) return childrenOfTag(values, TAG.set)[0]
  }
  return undefined
}
