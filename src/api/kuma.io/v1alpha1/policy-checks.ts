import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkConf } from './conf-checks.ts'
import type { KumaCallerMatch, KumaConf, KumaPolicySpec, KumaTargetRef } from './kuma-object.ts'

/** What a kind of policy allows, beyond its schema. */
export interface PolicyFrame {
  /** Kinds of spec.targetRef. */
  readonly top: readonly string[]
  /** Kinds of spec.to[].targetRef; absent: no `to`. */
  readonly to?: readonly string[]
  /** Has `rules` and `from`. */
  readonly rules?: boolean
  /** Has `default`. */
  readonly whole?: boolean
  /** The conf's own rules. `side`: where it stands. */
  readonly conf?: (errors: FieldErrors, field: string, conf: KumaConf, side: 'to' | 'rules' | 'from' | 'default') => void
  /** Fields of a conf of which at least one must be there. */
  readonly oneOf?: readonly string[]
}

const FROM = ['Mesh', 'MeshSubset', 'MeshServiceSubset', 'MeshService']
const TAGGED = new Set(['MeshSubset', 'MeshServiceSubset', 'MeshGateway'])
const NAMED = new Set([
  'MeshService',
  'MeshServiceSubset',
  'MeshExternalService',
  'MeshMultiZoneService',
  'MeshHTTPRoute',
  'MeshTCPRoute',
  'MeshGateway',
])
const MAX_ITEMS = 500

/** Checks the frame (targetRef, to, rules, from, default) of one policy, and what all confs have in common. */
export function checkPolicy(errors: FieldErrors, spec: KumaPolicySpec, frame: PolicyFrame): void {
  if (spec.targetRef) checkTargetRef(errors, 'spec.targetRef', spec.targetRef, frame.top)
  const sides = [frame.to && 'to', frame.rules && 'rules', frame.rules && 'from', frame.whole && 'default'].filter(
    Boolean,
  ) as (keyof KumaPolicySpec)[]
  if (!sides.some((side) => (Array.isArray(spec[side]) ? (spec[side] as unknown[]).length > 0 : spec[side] !== undefined))) {
    errors.required(
      `spec.${sides[0]}`,
      sides.length > 1 ? `at least one of ${sides.join(', ')} is needed` : 'without it the policy says nothing',
    )
  }
  if (spec.rules?.length && spec.from?.length) errors.forbidden('spec.from', 'may not be set together with rules, which replaces it')
  checkCount(errors, 'spec.to', spec.to)
  checkCount(errors, 'spec.rules', spec.rules)
  checkCount(errors, 'spec.from', spec.from)
  spec.to?.slice(0, MAX_ITEMS).forEach((item, i) => {
    const field = `spec.to[${i}]`
    if (item.targetRef) checkTargetRef(errors, `${field}.targetRef`, item.targetRef, frame.to ?? [])
    checkDefault(errors, `${field}.default`, item.default, frame, 'to')
  })
  spec.rules?.slice(0, MAX_ITEMS).forEach((rule, i) => {
    rule.matches?.forEach((match, j) => checkCallerMatch(errors, `spec.rules[${i}].matches[${j}]`, match))
    checkDefault(errors, `spec.rules[${i}].default`, rule.default, frame, 'rules')
  })
  spec.from?.slice(0, MAX_ITEMS).forEach((item, i) => {
    if (item.targetRef) checkTargetRef(errors, `spec.from[${i}].targetRef`, item.targetRef, FROM)
    checkDefault(errors, `spec.from[${i}].default`, item.default, frame, 'from')
  })
  if (frame.whole && spec.default) checkDefault(errors, 'spec.default', spec.default, frame, 'default')
}

/** Combinations of kind, name, labels, tags and sectionName. */
export function checkTargetRef(errors: FieldErrors, field: string, ref: KumaTargetRef, kinds: readonly string[]): void {
  if (ref.kind === undefined) return
  if (!kinds.includes(ref.kind)) {
    errors.notSupported(`${field}.kind`, ref.kind, kinds)
    return
  }
  const has = (name: 'name' | 'labels' | 'tags' | 'sectionName' | 'namespace'): boolean => ref[name] !== undefined
  if (has('name') && has('labels')) errors.forbidden(`${field}.labels`, 'may not be set together with name')
  if (has('tags') && !TAGGED.has(ref.kind)) errors.forbidden(`${field}.tags`, `may not be set for kind ${ref.kind}: use labels`)
  if (NAMED.has(ref.kind) && !has('name') && !has('labels')) errors.required(`${field}.name`, `kind ${ref.kind} needs a name or labels`)
  if (ref.kind === 'Mesh' || ref.kind === 'MeshSubset') {
    for (const name of ['name', 'namespace', 'sectionName'] as const) {
      if (has(name)) errors.forbidden(`${field}.${name}`, `may not be set for kind ${ref.kind}`)
    }
    if (ref.kind === 'Mesh' && has('labels')) errors.forbidden(`${field}.labels`, 'may not be set for kind Mesh: use kind Dataplane')
  }
  if (ref.proxyTypes?.length === 0) errors.required(`${field}.proxyTypes`, 'leave it out, or name Sidecar, Gateway or both')
}

/** A match of callers says something, and says it as a SPIFFE id. */
export function checkCallerMatch(errors: FieldErrors, field: string, { spiffeID, sni }: KumaCallerMatch): void {
  if (!spiffeID && !sni) errors.required(`${field}.spiffeID`, 'a match needs spiffeID, sni or both')
  if (!spiffeID) return
  const { type, value } = spiffeID
  if (typeof value !== 'string') return
  if (!/^spiffe:\/\/[a-z0-9._-]*/.test(value))
    errors.invalid(`${field}.spiffeID.value`, value, 'must begin with spiffe:// and a trust domain')
  else if (type === 'Exact' && !/^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[\w.-]+)*$/.test(value)) {
    errors.invalid(`${field}.spiffeID.value`, value, 'must be a SPIFFE id such as spiffe://default.mesh.local/ns/shop/sa/cart')
  }
}

function checkDefault(
  errors: FieldErrors,
  field: string,
  conf: KumaConf | undefined,
  frame: PolicyFrame,
  side: 'to' | 'rules' | 'from' | 'default',
): void {
  const { oneOf } = frame
  if (oneOf && !oneOf.some((name) => conf?.[name] !== undefined)) {
    errors.required(field, `must set at least one of ${oneOf.join(', ')}`)
    return
  }
  if (!conf) return
  checkConf(errors, field, conf)
  frame.conf?.(errors, field, conf, side)
}

function checkCount(errors: FieldErrors, field: string, items: readonly unknown[] | undefined): void {
  if (items && items.length > MAX_ITEMS) errors.tooMany(field, items.length, MAX_ITEMS)
}
