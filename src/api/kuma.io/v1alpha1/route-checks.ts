import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkConf } from './conf-checks.ts'
import type { KumaTargetRef } from './kuma-object.ts'
import { checkTargetRef } from './policy-checks.ts'
import type { KumaBackendRef, MeshRouteFilter, MeshRouteSpec } from './mesh-route.ts'

const TOP = ['Mesh', 'Dataplane', 'MeshSubset', 'MeshService', 'MeshServiceSubset', 'MeshGateway']
const TO = ['MeshService', 'MeshExternalService', 'MeshMultiZoneService', 'Mesh']
const BACKENDS = ['MeshService', 'MeshExternalService', 'MeshMultiZoneService', 'MeshServiceSubset', 'Service']
const MAX_RULES = 128

/** Targets, matches, filters and backends of a MeshHTTPRoute or MeshTCPRoute. */
export function checkRoute(errors: FieldErrors, spec: MeshRouteSpec, isHttp: boolean): void {
  if (spec.targetRef) checkTargetRef(errors, 'spec.targetRef', spec.targetRef, TOP)
  if (!spec.to?.length) errors.required('spec.to', 'at least one destination')
  spec.to?.forEach((to, i) => {
    const field = `spec.to[${i}]`
    const isGateway = spec.targetRef?.kind === 'MeshGateway'
    if (to.targetRef) checkTargetRef(errors, `${field}.targetRef`, to.targetRef, isGateway ? ['Mesh'] : TO)
    if (to.hostnames?.length && !isGateway) errors.forbidden(`${field}.hostnames`, 'may only be set when spec.targetRef is a MeshGateway')
    const rules = to.rules ?? []
    if (rules.length > MAX_RULES) errors.tooMany(`${field}.rules`, rules.length, MAX_RULES)
    if (!isHttp && rules.length > 1) errors.tooMany(`${field}.rules`, rules.length, 1)
    rules.slice(0, MAX_RULES).forEach((rule, j) => {
      const at = `${field}.rules[${j}]`
      checkConf(errors, at, rule)
      if (isHttp && !rule.matches?.length) errors.required(`${at}.matches`, 'at least one')
      rule.matches?.forEach(({ path, headers, queryParams }, k) => {
        if (path && path.type !== 'RegularExpression' && path.value?.startsWith('/') !== true) {
          errors.invalid(`${at}.matches[${k}].path.value`, path.value, 'must begin with /')
        }
        for (const [name, list] of Object.entries({ headers, queryParams })) {
          list?.forEach(({ type, value }, n) => {
            if (type !== 'Present' && type !== 'Absent' && value === undefined) errors.required(`${at}.matches[${k}].${name}[${n}].value`)
          })
        }
      })
      const { backendRefs, filters } = rule.default ?? {}
      if (!isHttp && !backendRefs?.length) errors.required(`${at}.default.backendRefs`, 'at least one')
      backendRefs?.forEach((ref, k) => checkBackend(errors, `${at}.default.backendRefs[${k}]`, ref))
      filters?.forEach((filter, k) => checkFilter(errors, `${at}.default.filters[${k}]`, filter))
    })
  })
}

function checkBackend(errors: FieldErrors, field: string, ref: KumaBackendRef): void {
  checkTargetRef(errors, field, ref as KumaTargetRef, BACKENDS)
  if (ref.port !== undefined && ref.sectionName !== undefined) errors.forbidden(`${field}.sectionName`, 'may not be set together with port')
}

const PARTS = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  RequestMirror: 'requestMirror',
} as const

function checkFilter(errors: FieldErrors, field: string, filter: MeshRouteFilter): void {
  const part = PARTS[filter.type]
  if (part && !filter[part]) errors.required(`${field}.${part}`, `type ${filter.type} needs it`)
  for (const other of Object.values(PARTS)) {
    if (other !== part && filter[other]) errors.forbidden(`${field}.${other}`, `may not be set for type ${filter.type}`)
  }
  if (filter.requestMirror?.backendRef) checkBackend(errors, `${field}.requestMirror.backendRef`, filter.requestMirror.backendRef)
  const status = filter.requestRedirect?.statusCode
  if (status !== undefined && ![301, 302, 303, 307, 308].includes(status))
    errors.notSupported(`${field}.requestRedirect.statusCode`, status, ['301', '302', '303', '307', '308'])
  for (const name of ['requestRedirect', 'urlRewrite'] as const) {
    const path = filter[name]?.path
    if (path?.type === 'ReplaceFullPath' && path.replaceFullPath === undefined) errors.required(`${field}.${name}.path.replaceFullPath`)
    if (path?.type === 'ReplacePrefixMatch' && path.replacePrefixMatch === undefined)
      errors.required(`${field}.${name}.path.replacePrefixMatch`)
  }
}
