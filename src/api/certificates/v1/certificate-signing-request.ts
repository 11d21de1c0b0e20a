import { timestamp } from '../../../base/timestamp.ts'
import { findCondition } from '../../conditions.ts'
import type { CertificateSigningRequest } from '../../generated/types.ts'
import { defineKind, type KindDefinition, type Strategy } from '../../kind.ts'
import { ageColumn, nameColumn } from '../../print/columns.ts'
import { humanDuration } from '../../print/human-duration.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'

const PEM_REQUEST = /-----BEGIN (NEW )?CERTIFICATE REQUEST-----[\s\S]+-----END (NEW )?CERTIFICATE REQUEST-----/
const MIN_EXPIRATION_SECONDS = 600
/** Decisions are for the approval subresource; whoever signs may only say that it failed. */
const DECISIONS = ['Approved', 'Denied'] as const

const strategy: Strategy<CertificateSigningRequest> = {
  prepareForCreate(request, { user, groups }) {
    request.status = {}
    // who asks is for the server to say
    const { username: _user, uid: _uid, groups: _groups, extra: _extra, ...spec } = request.spec ?? {}
    request.spec = { ...spec, username: user, ...(groups?.length ? { groups: [...groups] } : {}) } as CertificateSigningRequest['spec']
  },
  prepareForUpdate(next, previous, { subresource, nowMs }) {
    next.spec = previous.spec
    if (subresource !== '') stampConditions(next, previous, timestamp(nowMs))
  },
  validate: (request) => collectErrors((errors) => checkRequest(errors, request)),
  validateUpdate: (next, previous, { subresource }) =>
    collectErrors((errors) => {
      if (subresource === 'approval') errors.immutable('status.certificate', next.status?.certificate, previous.status?.certificate)
      for (const type of DECISIONS) {
        const now = findCondition(next.status?.conditions, type)
        const before = findCondition(previous.status?.conditions, type)
        if (before && !now) errors.forbidden('status.conditions', `updates may not remove a condition of type "${type}"`)
        else if (now && !before && subresource !== 'approval') {
          errors.forbidden('status.conditions', `updates may not add a condition of type "${type}"`)
        }
      }
    }),
}

export const certificateSigningRequests: KindDefinition<CertificateSigningRequest> = defineKind<CertificateSigningRequest>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  namespaced: false,
  shortNames: ['csr'],
  schema: 'io.k8s.api.certificates.v1.CertificateSigningRequest',
  status: true,
  ownColumns: true,
  columns: [
    nameColumn,
    ageColumn,
    { name: 'SignerName', type: 'string', description: 'Who shall sign.', value: ({ spec }) => spec?.signerName || '<none>' },
    { name: 'Requestor', type: 'string', description: 'Who asks.', value: ({ spec }) => spec?.username ?? '' },
    {
      name: 'RequestedDuration',
      type: 'string',
      description: 'How long the certificate shall be good.',
      value: ({ spec }) => (spec?.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)),
    },
    { name: 'Condition', type: 'string', description: 'What has been decided.', value: conditionCell },
  ],
  fieldSelectors: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },
  strategy,
})

function conditionCell({ status }: CertificateSigningRequest): string {
  const has = (type: string): boolean => findCondition(status?.conditions, type) !== undefined
  const decision = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending'
  return `${decision}${has('Failed') ? ',Failed' : ''}${status?.certificate ? ',Issued' : ''}`
}

function checkRequest(errors: FieldErrors, { spec, status }: CertificateSigningRequest): void {
  const pem = Buffer.from(spec?.request ?? '', 'base64').toString('latin1')
  if (!PEM_REQUEST.test(pem)) errors.invalid('spec.request', spec?.request, 'PEM block type must be CERTIFICATE REQUEST')
  if (!spec?.usages?.length) errors.required('spec.usages')
  spec?.usages?.forEach((usage, i) => {
    if (spec.usages!.indexOf(usage) !== i) errors.duplicate(`spec.usages[${i}]`, usage)
  })
  checkSigner(errors, spec?.signerName)
  const seconds = spec?.expirationSeconds
  if (seconds !== undefined && seconds < MIN_EXPIRATION_SECONDS) {
    errors.invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)')
  }
  const [approved, denied] = DECISIONS.map((type) => findCondition(status?.conditions, type))
  if (approved && denied) errors.invalid('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive')
}

function checkSigner(errors: FieldErrors, name: string | undefined): void {
  if (!name) return errors.required('spec.signerName')
  if (name === 'kubernetes.io/legacy-unknown') {
    return errors.invalid('spec.signerName', name, 'the legacy signerName is not allowed via this API version')
  }
  const [domain, path, ...more] = name.split('/')
  if (!domain || !path || more.length > 0) {
    errors.invalid('spec.signerName', name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
  } else if (!domain.includes('.')) {
    errors.invalid('spec.signerName', domain, 'should be a domain with at least two segments separated by dots')
  }
}

function stampConditions(next: CertificateSigningRequest, previous: CertificateSigningRequest, now: string): void {
  for (const condition of next.status?.conditions ?? []) {
    const before = findCondition(previous.status?.conditions, condition.type)
    condition.lastUpdateTime ??= now
    condition.lastTransitionTime ??= before?.status === condition.status ? before.lastTransitionTime : now
  }
}
