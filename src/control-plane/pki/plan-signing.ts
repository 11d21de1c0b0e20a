import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../api/generated/types.ts'
import { messageOf } from '../../base/errors.ts'
import { timestamp } from '../../base/timestamp.ts'
import { type CertificateRequest, decodePem, readRequest } from '../../protocols/x509/index.ts'

export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet'
export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client'

/** What to do with a CertificateSigningRequest. */
export type SigningPlan =
  | { readonly type: 'nothing' }
  /** Sign for `request`'s subject and key; `approval` is to be recorded with it when nobody has approved yet. */
  | {
      readonly type: 'sign'
      readonly request: CertificateRequest
      readonly days: number
      readonly approval?: CertificateSigningRequestCondition
    }
  | { readonly type: 'fail'; readonly condition: CertificateSigningRequestCondition }

const MAX_DAYS = 365
const SECONDS_PER_DAY = 86_400
/** Shorter lives are raised to this, as upstream does. */
const MIN_SECONDS = 600

/**
 * Decides about one request. For the kubelet's signer, requests of joining machines and of the node itself are approved;
 * for the client signer a human approves (`kubectl certificate approve`). Everything else is left alone.
 * Source: k8s.io/kubernetes pkg/controller/certificates (approver and signer).
 */
export function planSigning(csr: CertificateSigningRequest, nowMs: number): SigningPlan {
  const { spec, status } = csr
  const conditions = status?.conditions ?? []
  const has = (type: string): boolean => conditions.some((condition) => condition.type === type)
  const known = spec.signerName === KUBELET_CLIENT_SIGNER || spec.signerName === CLIENT_SIGNER
  if (!known || status?.certificate || has('Denied') || has('Failed')) return { type: 'nothing' }
  const approved = has('Approved')
  let request: CertificateRequest
  try {
    request = readRequest(
      decodePem(Buffer.from(spec.request, 'base64').toString('latin1'), 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'),
    )
  } catch (error) {
    return failure('SignerValidationFailure', `unable to parse csr: ${messageOf(error)}`, nowMs)
  }
  const problem = spec.signerName === KUBELET_CLIENT_SIGNER ? kubeletProblem(csr, request) : clientProblem(csr, request)
  // an unapproved request that we would not sign is left for a human to look at
  if (problem !== undefined) return approved ? failure('SignerValidationFailure', problem, nowMs) : { type: 'nothing' }
  const days = Math.min(Math.max(spec.expirationSeconds ?? Infinity, MIN_SECONDS) / SECONDS_PER_DAY, MAX_DAYS)
  if (approved) return { type: 'sign', request, days }
  if (spec.signerName !== KUBELET_CLIENT_SIGNER || !mayApprove(csr, request)) return { type: 'nothing' }
  return { type: 'sign', request, days, approval: condition('Approved', { reason: 'AutoApproved', message: approvalText(csr), nowMs }) }
}

/** A machine that joins with a token, or a node that renews its own certificate. */
function mayApprove(csr: CertificateSigningRequest, request: CertificateRequest): boolean {
  const { username = '', groups = [] } = csr.spec
  const joins = username.startsWith('system:bootstrap:') && groups.includes('system:bootstrappers')
  const renews = username === request.subject.commonName && groups.includes('system:nodes')
  return joins || renews
}

function approvalText(csr: CertificateSigningRequest): string {
  const self = csr.spec.username?.startsWith('system:node:') === true
  return `Auto approving ${self ? 'self ' : ''}kubelet client certificate for ${csr.spec.username}.`
}

/** Source: ValidateKubeletClientCSR. */
function kubeletProblem(csr: CertificateSigningRequest, request: CertificateRequest): string | undefined {
  const { commonName, organizations = [] } = request.subject
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes'
  if (!commonName.startsWith('system:node:') || commonName === 'system:node:')
    return 'subject common name does not begin with "system:node:"'
  if (request.alternativeNames.length > 0) return 'DNS, IP and URI subjectAltNames are not allowed'
  return usagesProblem(csr)
}

function clientProblem(csr: CertificateSigningRequest, request: CertificateRequest): string | undefined {
  if (request.subject.commonName === '') return 'subject common name is empty'
  if (request.subject.organizations?.includes('system:masters'))
    return `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`
  return usagesProblem(csr)
}

const ALLOWED_USAGES: ReadonlySet<string> = new Set(['client auth', 'digital signature', 'key encipherment'])

function usagesProblem(csr: CertificateSigningRequest): string | undefined {
  const usages = csr.spec.usages ?? []
  if (!usages.includes('client auth')) return 'usages did not include "client auth"'
  const other = usages.find((usage) => !ALLOWED_USAGES.has(usage))
  return other === undefined ? undefined : `usages may not include ${JSON.stringify(other)}`
}

function failure(reason: string, message: string, nowMs: number): SigningPlan {
  return { type: 'fail', condition: condition('Failed', { reason, message, nowMs }) }
}

function condition(
  type: string,
  why: { readonly reason: string; readonly message: string; readonly nowMs: number },
): CertificateSigningRequestCondition {
  const time = timestamp(why.nowMs)
  return { type, status: 'True', reason: why.reason, message: why.message, lastUpdateTime: time, lastTransitionTime: time }
}
