import { messageOf } from '../../../base/errors.ts'
import type { SignCertificateRequest, SignCertificateResponse } from '../../../protocols/mesh-link.ts'
import { decodePem } from '../../../protocols/x509/index.ts'
import type { MeshAuthorities } from '../../pki/mesh/index.ts'
import { spiffeIdOf, type ProxyIdentity } from './authenticate-proxy.ts'

/** A request that cannot be answered with a certificate: gRPC's INVALID_ARGUMENT or UNAVAILABLE. */
export class SigningError extends Error {
  override readonly name = 'SigningError'
  readonly code: 'InvalidArgument' | 'Unavailable'

  constructor(code: SigningError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** CSRs of P-256 keys have some 300 bytes. */
const MAX_CSR_CHARS = 16_384

/** Signs the identity that the asking proxy has, whatever its request says. @param body JSON of SignCertificateRequest @throws {SigningError} */
export function signCertificate(
  body: Uint8Array,
  proxy: ProxyIdentity,
  parts: {
    readonly authorities: Pick<MeshAuthorities, 'sign' | 'state'>
    readonly trust: () => Readonly<Record<string, readonly string[]>>
  },
): SignCertificateResponse {
  const { csr } = parseBody(body)
  const { state } = parts.authorities
  if (!state) throw new SigningError('Unavailable', 'there is no certificate authority yet')
  const spiffeId = spiffeIdOf(state.trustDomain, proxy.namespace, proxy.serviceAccount)
  try {
    const { certificate } = parts.authorities.sign(decodePem(csr, 'CERTIFICATE REQUEST'), spiffeId)
    return { certificate, trust: parts.trust(), spiffeId, issuer: state.issuer }
  } catch (error) {
    throw new SigningError('InvalidArgument', `the certificate request cannot be used: ${messageOf(error)}`)
  }
}

function parseBody(body: Uint8Array): SignCertificateRequest {
  try {
    const { csr } = JSON.parse(Buffer.from(body).toString()) as Partial<SignCertificateRequest>
    if (typeof csr === 'string' && csr.length <= MAX_CSR_CHARS) return { csr }
  } catch {
    // said below
  }
  throw new SigningError('InvalidArgument', 'the request is not {"csr": "<PKCS#10 in PEM>"}')
}
