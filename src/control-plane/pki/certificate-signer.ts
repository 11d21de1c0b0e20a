import { certificateSigningRequests } from '../../api/certificates/v1/certificate-signing-request.ts'
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../api/generated/types.ts'
import { cloneJson } from '../../api/meta/clone.ts'
import { type Manager, type Reconciler, watchOf } from '../../controller/contract.ts'
import type { Pki } from './pki.ts'
import { planSigning } from './plan-signing.ts'

/** Adds the controller that approves certificate requests of joining nodes and signs what is approved. */
export function addCertificateSigner(manager: Manager, pki: Pick<Pki, 'signClientCertificate'>): void {
  manager.addController({
    name: 'csrsigning',
    watches: [watchOf(certificateSigningRequests)],
    reconciler: certificateSigner(manager, pki),
  })
}

/** The reconciler by itself: see planSigning for what it decides. */
export function certificateSigner(
  manager: Pick<Manager, 'client' | 'informers' | 'clock'>,
  pki: Pick<Pki, 'signClientCertificate'>,
): Reconciler {
  const { lister } = manager.informers.informer(certificateSigningRequests)
  return {
    async reconcile({ name }, signal) {
      const seen = lister.get(name)
      const plan = seen === undefined ? undefined : planSigning(seen, manager.clock.now())
      if (seen === undefined || plan === undefined || plan.type === 'nothing') return
      const client = manager.client.of(certificateSigningRequests)
      let next = cloneJson(seen)
      if (plan.type === 'fail') {
        await client.updateStatus(withCondition(next, plan.condition), { signal })
        return
      }
      // approving and issuing are two writes; after a crash between them the next run finds it approved and signs
      if (plan.approval) next = await client.update(withCondition(next, plan.approval), { subresource: 'approval', signal })
      const { subject, publicKey } = plan.request
      const { commonName, organizations = [] } = subject
      const certificate = pki.signClientCertificate({ commonName, organizations, publicKey, days: plan.days })
      next.status = { ...next.status, certificate: Buffer.from(certificate).toString('base64') }
      await client.updateStatus(next, { signal })
    },
  }
}

function withCondition(csr: CertificateSigningRequest, condition: CertificateSigningRequestCondition): CertificateSigningRequest {
  return { ...csr, status: { ...csr.status, conditions: [...(csr.status?.conditions ?? []), condition] } }
}
