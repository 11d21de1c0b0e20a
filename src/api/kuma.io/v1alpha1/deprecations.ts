import type { KumaConf, KumaObject, KumaPolicy, KumaTargetRef } from './kuma-object.ts'

const MESH_FIELDS: Readonly<Record<string, string>> = {
  mtls: 'MeshIdentity and MeshTLS',
  routing: 'MeshPassthrough and MeshLoadBalancingStrategy; it has no effect',
  metrics: 'MeshMetric; it has no effect',
  logging: 'MeshAccessLog; it has no effect',
  tracing: 'MeshTrace; it has no effect',
  networking: 'MeshPassthrough; it has no effect',
  constraints: 'nothing: who may join is decided by the API server; it has no effect',
}

/** What a Mesh says in Kuma 2's words, and what to write instead: texts for warnings and Findings. */
export function meshDeprecations({ spec }: KumaObject): readonly string[] {
  return Object.entries(MESH_FIELDS)
    .filter(([field]) => isSaid(spec?.[field]))
    .map(([field, instead]) => `spec.${field}: deprecated since Kuma 3; use ${instead}`)
}

/** What a policy says in Kuma 2's words. */
export function policyDeprecations({ spec }: KumaPolicy): readonly string[] {
  const out: string[] = []
  if (spec?.targetRef) out.push(...targetDeprecations('spec.targetRef', spec.targetRef, 'Dataplane with labels'))
  spec?.to?.forEach((item, i) =>
    out.push(...targetDeprecations(`spec.to[${i}].targetRef`, item.targetRef, 'MeshService with labels or a name')),
  )
  if (spec?.from?.length) out.push('spec.from: deprecated since Kuma 3; use spec.rules, whose matches name SPIFFE ids')
  spec?.from?.forEach((item, i) => {
    if (item.default?.['action'] !== undefined)
      out.push(`spec.from[${i}].default.action: deprecated since Kuma 3; use allow, deny or allowWithShadowDeny of spec.rules`)
  })
  return out
}

/** Kinds that Gateway API replaces. */
export function gatewayDeprecations(kind: string): readonly string[] {
  return [`kuma.io/v1alpha1 ${kind} is deprecated since Kuma 3; use gateway.networking.k8s.io/v1 Gateway`]
}

function targetDeprecations(field: string, ref: KumaTargetRef | undefined, instead: string): readonly string[] {
  if (!ref) return []
  const isTop = field === 'spec.targetRef'
  const old =
    ref.kind === 'MeshSubset' || ref.kind === 'MeshServiceSubset' || (isTop && (ref.kind === 'MeshService' || ref.kind === 'MeshGateway'))
  if (old) return [`${field}.kind: ${ref.kind} is deprecated since Kuma 3; use ${ref.kind === 'MeshGateway' ? 'Gateway routes' : instead}`]
  return ref.kind === 'MeshService' && ref.name?.includes('_svc_') === true
    ? [`${field}.name: names of the form name_namespace_svc_port are deprecated; use name, namespace and sectionName`]
    : []
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null && (typeof value !== 'object' || Object.keys(value as KumaConf).length > 0)
}
