import type { CertificateSigningRequest } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const certificateSigningRequests: KindDefinition<CertificateSigningRequest> = defineKind({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  namespaced: false,
  shortNames: ['csr'],
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
})
