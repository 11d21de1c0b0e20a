import { SIGN_CERTIFICATE_PATH, type SignCertificateRequest, type SignCertificateResponse } from '../../../protocols/mesh-link.ts'
import { askControlPlane, type AskOptions } from './ask-control-plane.ts'

/** Asks the control plane to sign a request (PEM). @throws Error with the control plane's reason */
export async function askCertificate(csr: string, options: AskOptions): Promise<SignCertificateResponse> {
  const request: SignCertificateRequest = { csr }
  const answer = (await askControlPlane(SIGN_CERTIFICATE_PATH, request, options)) as Partial<SignCertificateResponse>
  const { certificate, trust, spiffeId, issuer } = answer
  if (!certificate || !trust || !spiffeId || issuer === undefined) throw new Error('the answer of the control plane lacks a certificate')
  return { certificate, trust, spiffeId, issuer }
}
