import type { BackendTLSPolicy } from '../../../api/gateway.networking.k8s.io/v1/backend-tls-policy.ts'
import { GATEWAY_GROUP } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { Origin, Secret, StringMatch, UpstreamTls } from '../model/index.ts'
import { compareOrigins, originOf, type Problem } from './gateway-objects.ts'
import { judgeAuthorities } from './judge-frontend.ts'
import type { ObjectIndex } from './object-index.ts'

/** What there is to say about a BackendTLSPolicy. */
export interface BackendTlsJudgement {
  readonly policy: BackendTLSPolicy
  readonly origin: Origin
  readonly accepted?: Problem
  readonly resolvedRefs?: Problem
  readonly authorities?: Secret
  /** Services that it works for, with the name of a port where it is for that alone. */
  readonly targets: readonly { readonly namespace: string; readonly name: string; readonly section?: string }[]
  /** Absent where the policy cannot be carried out: its targets are then not spoken to at all. */
  readonly tls?: UpstreamTls
}

/** Judges all policies together: of two for the same target the older wins. Source: GEP-1897, GEP-713. */
export function judgeBackendTls(policies: readonly BackendTLSPolicy[], index: ObjectIndex): readonly BackendTlsJudgement[] {
  const taken = new Map<string, Origin>()
  const ordered = policies
    .map((policy) => ({ policy, origin: originOf('BackendTLSPolicy', GATEWAY_GROUP, policy) }))
    .sort((a, b) => compareOrigins(a.origin, b.origin))
  return ordered.map(({ policy, origin }) => {
    const judged = judgePolicy(policy, origin, index)
    const free = judged.targets.filter(({ namespace, name, section }) => {
      const key = `${namespace}/${name}/${section ?? ''}`
      if (taken.has(key)) return false
      taken.set(key, origin)
      return true
    })
    if (free.length > 0 || judged.targets.length === 0) return { ...judged, targets: free }
    const accepted = { reason: 'Conflicted', message: 'An older BackendTLSPolicy is for the same targets' }
    const { tls: _, ...rest } = judged
    return { ...rest, targets: [], accepted }
  })
}

function judgePolicy(policy: BackendTLSPolicy, origin: Origin, index: ObjectIndex): BackendTlsJudgement {
  const { namespace } = origin
  const { validation } = policy.spec
  const from = { group: GATEWAY_GROUP, kind: 'BackendTLSPolicy', namespace }
  const refs = validation.caCertificateRefs ?? []
  const judged = refs.length > 0 ? judgeAuthorities(from, refs, 'InvalidKind', index) : {}
  const wellKnown = validation.wellKnownCACertificates
  const unknown =
    wellKnown && wellKnown !== 'System'
      ? { reason: 'Invalid', message: `wellKnownCACertificates ${wellKnown} is not known; use System` }
      : undefined
  const targets = policy.spec.targetRefs
    .filter(({ group, kind, name }) => group === '' && kind === 'Service' && index.service(namespace, name))
    .map(({ name, sectionName }) => ({ namespace, name, ...(sectionName ? { section: sectionName } : {}) }))
  const missing =
    targets.length === 0 ? { reason: 'TargetNotFound', message: 'No target of the policy is a Service that exists' } : undefined
  const accepted = judged.accepted ?? unknown ?? missing
  return {
    policy,
    origin,
    targets,
    ...(accepted ? { accepted } : { tls: upstreamTls(policy, judged.authorities) }),
    ...(judged.resolvedRefs ? { resolvedRefs: judged.resolvedRefs } : {}),
    ...(judged.authorities ? { authorities: judged.authorities } : {}),
  }
}

function upstreamTls({ spec }: BackendTLSPolicy, authorities: Secret | undefined): UpstreamTls {
  const names: StringMatch[] = (spec.validation.subjectAltNames ?? []).map(({ hostname, uri }) => {
    const name = hostname ?? uri ?? ''
    return name.startsWith('*.') ? { suffix: name.slice(1) } : { exact: name }
  })
  return {
    mode: 'tls',
    serverName: spec.validation.hostname,
    verify: 'full',
    ...(authorities ? { ca: authorities.name } : {}),
    ...(names.length > 0 ? { subjectAltNames: names } : {}),
  }
}

/**
 * TLS towards a port: a policy for the port by name wins over one for the whole service. `refused`: a policy asks for TLS that cannot be had; plaintext instead
 * would be what it was written against.
 */
export function backendTlsOf(
  judged: readonly BackendTlsJudgement[],
  index: ObjectIndex,
): (namespace: string, name: string, port: number) => UpstreamTls | 'refused' | undefined {
  const table = new Map<string, UpstreamTls | 'refused'>()
  for (const { targets, tls = 'refused' } of judged) {
    for (const { namespace, name, section = '' } of targets) table.set(`${namespace}/${name}/${section}`, tls)
  }
  return (namespace, name, port) => {
    const section = index.service(namespace, name)?.spec?.ports?.find((one) => one.port === port)?.name
    return (section && table.get(`${namespace}/${name}/${section}`)) || table.get(`${namespace}/${name}/`)
  }
}
