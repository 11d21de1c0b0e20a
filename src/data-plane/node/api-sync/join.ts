import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { sleep, type Clock } from '../../../base/clock.ts'
import { certificateSigningRequests } from '../../../api/certificates/v1/certificate-signing-request.ts'
import type { Client } from '../../../client/client.ts'
import { createRequest, encodePem } from '../../../protocols/x509/index.ts'

/** A node's identity, PEM. */
export interface NodeIdentity {
  readonly certificate: string
  readonly privateKey: string
}

const SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet'
const POLL_MS = 100
const TIMEOUT_MS = 30_000

/**
 * Gets a client certificate for `system:node:<name>` by a CertificateSigningRequest: with a join token the first time, with
 * the present certificate to renew. The key is made here and never leaves. Source: kubernetes TLS bootstrapping.
 * @throws Error when the request is denied or not signed within 30 s
 */
export async function requestIdentity(client: Client, nodeName: string, clock: Clock, signal?: AbortSignal): Promise<NodeIdentity> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = createRequest({ subject: { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] } }, keys)
  const request = Buffer.from(encodePem('CERTIFICATE REQUEST', der)).toString('base64')
  const api = client.of(certificateSigningRequests)
  const options = signal ? { signal } : {}
  const made = await api.create(
    { metadata: { generateName: 'node-csr-' }, spec: { request, signerName: SIGNER, usages: ['digital signature', 'client auth'] } },
    options,
  )
  const deadline = clock.monotonic() + TIMEOUT_MS
  for (;;) {
    const current = await api.get(made.metadata.name, options)
    if (current.status?.certificate) {
      const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      return { certificate: Buffer.from(current.status.certificate, 'base64').toString(), privateKey }
    }
    const refusal = current.status?.conditions?.find((condition) => condition.type === 'Denied' || condition.type === 'Failed')
    if (refusal) throw new Error(`certificate request ${made.metadata.name} was refused: ${refusal.message ?? refusal.reason}`)
    if (clock.monotonic() > deadline)
      throw new Error(
        `certificate request ${made.metadata.name} was not signed within ${TIMEOUT_MS / 1000} s; approve it with kubectl certificate approve, or check the control plane's log`,
      )
    await sleep(clock, POLL_MS, signal)
  }
}

/** Which part of its life the certificate has left, 1 to 0; 0 too when it is not for this node or not from this CA. Renew below a third. */
export function lifeLeft(identity: NodeIdentity, nodeName: string, caCertificate: string, nowMs: number): number {
  try {
    const certificate = new X509Certificate(identity.certificate)
    const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
    const isNamed = certificate.subject.split('\n').includes(`CN=system:node:${nodeName}`)
    const isOurs = isNamed && certificate.verify(new X509Certificate(caCertificate).publicKey)
    return isOurs ? Math.max(0, (to - nowMs) / (to - from)) : 0
  } catch {
    return 0
  }
}
