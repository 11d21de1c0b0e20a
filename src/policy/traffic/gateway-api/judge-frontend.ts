import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import { GATEWAY_GROUP, type ObjectReference } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { Secret } from '../model/index.ts'
import type { Problem } from './gateway-objects.ts'
import type { ObjectIndex, Referrer } from './object-index.ts'
import { authoritiesName, readAuthorities, readServerSecret } from './pem-secrets.ts'

export interface AuthoritiesJudgement {
  readonly authorities?: Secret
  readonly resolvedRefs?: Problem
  readonly accepted?: Problem
}

/** What clients of a port must show: undefined where nothing is asked for. Source: GEP-91. */
export function judgeFrontend({ metadata, spec }: Gateway, port: number, index: ObjectIndex): AuthoritiesJudgement | undefined {
  const frontend = spec.tls?.frontend
  const tls = frontend?.perPort?.find((one) => one.port === port)?.tls ?? frontend?.default
  if (!tls?.validation) return undefined
  const from = { group: GATEWAY_GROUP, kind: 'Gateway', namespace: metadata.namespace ?? '' }
  const judged = judgeAuthorities(from, tls.validation.caCertificateRefs, 'InvalidCACertificateKind', index)
  if (tls.validation.mode !== 'AllowInsecureFallback') return judged
  const message = 'Validation mode AllowInsecureFallback is not served; use AllowValidOnly'
  return { ...judged, accepted: { reason: 'UnsupportedValue', message } }
}

/** Authorities of several references in one secret; those that can be read are taken. */
export function judgeAuthorities(
  from: Referrer,
  refs: readonly ObjectReference[],
  wrongKind: 'InvalidCACertificateKind' | 'InvalidKind',
  index: ObjectIndex,
): AuthoritiesJudgement {
  const pems: string[] = []
  const names: string[] = []
  let resolvedRefs: Problem | undefined
  for (const { group, kind, name, namespace = from.namespace } of refs) {
    const shown = `${kind} ${namespace}/${name}`
    if (group !== '' || (kind !== 'ConfigMap' && kind !== 'Secret')) {
      resolvedRefs ??= { reason: wrongKind, message: `Authorities are read from ConfigMaps and Secrets, not from a ${kind}` }
      continue
    }
    if (!index.isPermitted(from, { group, kind, namespace, name })) {
      resolvedRefs ??= {
        reason: 'RefNotPermitted',
        message: `${shown} may not be referred to: no ReferenceGrant of namespace ${namespace} permits it`,
      }
      continue
    }
    const pem = readAuthorities(kind === 'ConfigMap' ? index.configMap(namespace, name) : index.secret(namespace, name))
    if (pem === undefined) {
      resolvedRefs ??= { reason: 'InvalidCACertificateRef', message: `${shown} does not exist, or has no certificates in ca.crt` }
      continue
    }
    pems.push(pem.endsWith('\n') ? pem : `${pem}\n`)
    names.push(`${kind}/${namespace}/${name}`)
  }
  if (pems.length === 0) {
    return { ...(resolvedRefs ? { resolvedRefs } : {}), accepted: { reason: 'NoValidCACertificate', message: 'No authority can be used' } }
  }
  return { authorities: { name: authoritiesName(names), ca: pems.join('') }, ...(resolvedRefs ? { resolvedRefs } : {}) }
}

/** The certificate that a gateway shows to backends; undefined where none is asked for. Source: GEP-3155. */
export function judgeBackendCertificate(
  { metadata, spec }: Gateway,
  index: ObjectIndex,
): { secret?: Secret; problem?: Problem } | undefined {
  const ref = spec.tls?.backend?.clientCertificateRef
  if (!ref) return undefined
  const { group = '', kind = 'Secret', namespace = metadata.namespace ?? '', name } = ref
  const problem = (message: string): { problem: Problem } => ({ problem: { reason: 'InvalidClientCertificateRef', message } })
  if (group !== '' || kind !== 'Secret') return problem(`The clientCertificateRef is to a ${kind}, it must be to a Secret`)
  const from = { group: GATEWAY_GROUP, kind: 'Gateway', namespace: metadata.namespace ?? '' }
  if (!index.isPermitted(from, { group, kind, namespace, name })) {
    const message = `Secret ${namespace}/${name} may not be referred to: no ReferenceGrant of namespace ${namespace} permits it`
    return { problem: { reason: 'RefNotPermitted', message } }
  }
  const secret = index.secret(namespace, name)
  const read = secret ? readServerSecret(secret, `secret/${namespace}/${name}`) : 'does not exist'
  return typeof read === 'string' ? problem(`Secret ${namespace}/${name} ${read}`) : { secret: read }
}
