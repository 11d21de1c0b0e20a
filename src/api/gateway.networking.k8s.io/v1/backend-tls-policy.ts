import type { Condition } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { GATEWAY_GROUP, type LocalObjectReference, type ParentReference } from './references.ts'
import { servedAs } from './served-version.ts'

export interface PolicyTargetReference extends LocalObjectReference {
  /** Name of a port of a Service. */
  sectionName?: string | undefined
}

export interface BackendTLSPolicySpec {
  targetRefs: PolicyTargetReference[]
  validation: {
    /** ConfigMaps with `ca.crt`. */
    caCertificateRefs?: LocalObjectReference[] | undefined
    /** `System`. This or caCertificateRefs. */
    wellKnownCACertificates?: string | undefined
    hostname: string
    subjectAltNames?: { type: 'Hostname' | 'URI'; hostname?: string | undefined; uri?: string | undefined }[] | undefined
  }
  options?: { [key: string]: string } | undefined
}

export interface PolicyAncestorStatus {
  ancestorRef: ParentReference
  controllerName: string
  conditions: Condition[]
}

/** How gateways speak TLS to a backend. */
export interface BackendTLSPolicy extends KubeObject {
  spec: BackendTLSPolicySpec
  status?: { ancestors: PolicyAncestorStatus[] } | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.BackendTLSPolicy'

export const backendTLSPolicies: KindDefinition<BackendTLSPolicy> = defineKind<BackendTLSPolicy>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'BackendTLSPolicy',
  plural: 'backendtlspolicies',
  shortNames: ['btlspolicy'],
  categories: ['gateway-api'],
  namespaced: true,
  schema: SCHEMA,
  status: true,
  strategy: {
    prepareForCreate: (object) => void delete object.status,
    validate: (object) =>
      collectErrors((errors) => {
        checkBounds(errors, SCHEMA, '', object)
        if (object.spec) checkPolicy(errors, object.spec)
      }),
  },
})

export const backendTLSPoliciesV1alpha3: KindDefinition<BackendTLSPolicy> = servedAs(backendTLSPolicies, 'v1alpha3', true)

function checkPolicy(errors: FieldErrors, spec: Partial<BackendTLSPolicySpec>): void {
  const targets = spec.targetRefs ?? []
  targets.forEach((target, i) => {
    const field = `spec.targetRefs[${i}].sectionName`
    const same = targets
      .slice(0, i)
      .filter(({ group, kind, name }) => group === target.group && kind === target.kind && name === target.name)
    if (same.some(({ sectionName }) => !sectionName !== !target.sectionName))
      errors.required(field, 'needed on all references to the same target')
    else if (same.some(({ sectionName }) => (sectionName ?? '') === (target.sectionName ?? '')))
      errors.duplicate(field, target.sectionName ?? '')
  })
  const { validation } = spec
  if (!validation) return
  const [refs, wellKnown] = [Boolean(validation.caCertificateRefs?.length), Boolean(validation.wellKnownCACertificates)]
  const field = 'spec.validation'
  if (refs && wellKnown) errors.forbidden(`${field}.wellKnownCACertificates`, 'may not be set together with caCertificateRefs')
  if (!refs && !wellKnown) errors.required(`${field}.caCertificateRefs`, 'caCertificateRefs or wellKnownCACertificates')
  validation.subjectAltNames?.forEach((san, i) => {
    const at = `${field}.subjectAltNames[${i}]`
    for (const [type, key] of [['Hostname', 'hostname'] as const, ['URI', 'uri'] as const]) {
      if (san.type === type && !san[key]) errors.required(`${at}.${key}`, `must be set for type ${type}`)
      if (san.type !== type && san[key]) errors.forbidden(`${at}.${key}`, `may only be set for type ${type}`)
    }
  })
}
