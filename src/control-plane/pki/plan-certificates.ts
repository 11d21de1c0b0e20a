import { isIP } from 'node:net'
import {
  type AlternativeName,
  type CertificateInfo,
  type CertificateTemplate,
  CLOCK_SKEW_MS,
  type DistinguishedName,
} from '../../protocols/x509/index.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const CA_DAYS = 10 * 365
const LEAF_DAYS = 365

/** Certificates that the control plane makes for itself. */
export type OwnCertificate = 'apiserver' | 'admin'

/** The subject of the cluster's certificate authority. */
export const CA_NAME: DistinguishedName = { commonName: 'biplane-ca' }

/** A template without what is random: key and serial. */
export type CertificatePlan = Omit<CertificateTemplate, 'publicKey' | 'serial'>

/** The certificate authority: ten years, signs certificates and nothing else. */
export function planCa(nowMs: number): CertificatePlan {
  return { subject: CA_NAME, isCa: true, keyUsages: ['keyCertSign', 'cRLSign', 'digitalSignature'], ...validity(nowMs, CA_DAYS) }
}

/** The API server's own certificate, for every name that clients use. One year. */
export function planServing(names: { readonly hosts: readonly string[]; readonly serviceIp: string }, nowMs: number): CertificatePlan {
  const hosts = [...ALWAYS_SERVED, names.serviceIp, ...names.hosts]
  return planServer({ subject: { commonName: 'kube-apiserver' }, hosts, days: LEAF_DAYS }, nowMs)
}

/** A certificate for a server that answers under `hosts`, names or addresses. */
export function planServer(
  server: { readonly subject: DistinguishedName; readonly hosts: readonly string[]; readonly days: number },
  nowMs: number,
): CertificatePlan {
  return {
    subject: server.subject,
    isCa: false,
    keyUsages: ['digitalSignature'],
    extendedKeyUsages: ['serverAuth'],
    alternativeNames: [...new Set(server.hosts)].map(alternativeName),
    ...validity(nowMs, server.days),
  }
}

/** A user's certificate: the common name is the user, the organizations are the groups. */
export function planClient(subject: DistinguishedName, days: number, nowMs: number): CertificatePlan {
  return { subject, isCa: false, keyUsages: ['digitalSignature'], extendedKeyUsages: ['clientAuth'], ...validity(nowMs, days) }
}

/** The administrator, a member of `system:masters`. One year. */
export function planAdmin(nowMs: number): CertificatePlan {
  return planClient({ commonName: 'biplane-admin', organizations: ['system:masters'] }, LEAF_DAYS, nowMs)
}

/** Whether less than a third of its life is left, or it is not valid yet (the clock went back). */
export function isRenewalDue(certificate: Pick<CertificateInfo, 'notBefore' | 'notAfter'>, nowMs: number): boolean {
  const { notBefore, notAfter } = certificate
  return nowMs < notBefore || notAfter - nowMs < (notAfter - notBefore) / 3
}

/** Whether `certificate` is what `plan` asks for and good for a while. */
export function isStillGood(certificate: CertificateInfo, plan: CertificatePlan, nowMs: number): boolean {
  const names = new Set(certificate.alternativeNames.map(nameKey))
  return (
    !isRenewalDue(certificate, nowMs) &&
    certificate.subject.commonName === plan.subject.commonName &&
    String(certificate.subject.organizations) === String(plan.subject.organizations ?? []) &&
    (plan.alternativeNames ?? []).every((name) => names.has(nameKey(name)))
  )
}

const ALWAYS_SERVED = [
  'localhost',
  '127.0.0.1',
  '::1',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
]

function alternativeName(host: string): AlternativeName {
  return isIP(host) === 0 ? { type: 'dns', value: host.toLowerCase() } : { type: 'ip', value: host }
}

function nameKey(name: AlternativeName): string {
  // one address may be written in several ways
  return `${name.type}:${name.type === 'ip' && name.value.includes(':') ? new URL(`http://[${name.value}]`).hostname : name.value}`
}

function validity(nowMs: number, days: number): { readonly notBefore: number; readonly notAfter: number } {
  return { notBefore: nowMs - CLOCK_SKEW_MS, notAfter: nowMs + days * DAY_MS }
}
