import type { FieldErrors } from '../../validation/field-errors.ts'
import type { BackendObjectReference, LocalObjectReference } from './references.ts'
import { checkBackend, checkUnique } from './route-checks.ts'

export interface HTTPHeaderFilter {
  set?: { name: string; value: string }[] | undefined
  add?: { name: string; value: string }[] | undefined
  remove?: string[] | undefined
}

export interface HTTPRequestMirrorFilter {
  backendRef: BackendObjectReference
  /** 0 to 100. This or fraction; neither: everything. */
  percent?: number | undefined
  fraction?: { numerator: number; denominator?: number | undefined } | undefined
}

export interface HTTPPathModifier {
  type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  replaceFullPath?: string | undefined
  replacePrefixMatch?: string | undefined
}

export interface HTTPRequestRedirectFilter {
  scheme?: 'http' | 'https' | undefined
  hostname?: string | undefined
  path?: HTTPPathModifier | undefined
  port?: number | undefined
  /** Default 302. */
  statusCode?: number | undefined
}

export interface HTTPCORSFilter {
  allowOrigins?: string[] | undefined
  allowCredentials?: boolean | undefined
  allowMethods?: string[] | undefined
  allowHeaders?: string[] | undefined
  exposeHeaders?: string[] | undefined
  /** Seconds. Default 5. */
  maxAge?: number | undefined
}

export interface HTTPExternalAuthFilter {
  protocol: 'HTTP' | 'GRPC'
  backendRef: BackendObjectReference
  grpc?: { allowedHeaders?: string[] | undefined } | undefined
  http?: { path?: string | undefined; allowedHeaders?: string[] | undefined; allowedResponseHeaders?: string[] | undefined } | undefined
  forwardBody?: { maxSize?: number | undefined } | undefined
}

/** One thing that is done with a request or its response; `type` says which field is set. */
export interface RouteFilter {
  type: string
  requestHeaderModifier?: HTTPHeaderFilter | undefined
  responseHeaderModifier?: HTTPHeaderFilter | undefined
  requestMirror?: HTTPRequestMirrorFilter | undefined
  requestRedirect?: HTTPRequestRedirectFilter | undefined
  urlRewrite?: { hostname?: string | undefined; path?: HTTPPathModifier | undefined } | undefined
  extensionRef?: LocalObjectReference | undefined
  cors?: HTTPCORSFilter | undefined
  externalAuth?: HTTPExternalAuthFilter | undefined
}

const FIELD_OF: Readonly<Record<string, keyof RouteFilter>> = {
  RequestHeaderModifier: 'requestHeaderModifier',
  ResponseHeaderModifier: 'responseHeaderModifier',
  RequestMirror: 'requestMirror',
  RequestRedirect: 'requestRedirect',
  URLRewrite: 'urlRewrite',
  ExtensionRef: 'extensionRef',
  CORS: 'cors',
  ExternalAuth: 'externalAuth',
}
const ONCE = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'CORS']

/** Rules within and between filters of one list. Source: validation rules of the CRDs of HTTPRoute and GRPCRoute. */
export function checkFilters(errors: FieldErrors, field: string, filters: readonly RouteFilter[] = []): void {
  filters.forEach((filter, i) => {
    const at = `${field}[${i}]`
    for (const [type, key] of Object.entries(FIELD_OF)) {
      if (filter.type === type && filter[key] === undefined) errors.required(`${at}.${key}`, `must be set for type ${type}`)
      if (filter.type !== type && filter[key] !== undefined) errors.forbidden(`${at}.${key}`, `may only be set for type ${type}`)
    }
    if (ONCE.includes(filter.type) && filters.findIndex(({ type }) => type === filter.type) !== i) {
      errors.duplicate(`${at}.type`, filter.type, 'this filter cannot be repeated')
    }
    checkFilter(errors, at, filter)
  })
  const redirect = filters.findIndex(({ type }) => type === 'RequestRedirect')
  if (redirect >= 0 && filters.some(({ type }) => type === 'URLRewrite')) {
    errors.forbidden(`${field}[${redirect}].requestRedirect`, 'may not be used together with urlRewrite')
  }
}

function checkFilter(errors: FieldErrors, at: string, filter: RouteFilter): void {
  for (const key of ['requestHeaderModifier', 'responseHeaderModifier'] as const) {
    for (const list of ['set', 'add'] as const) checkUnique(errors, `${at}.${key}.${list}`, filter[key]?.[list])
  }
  const { requestMirror: mirror, requestRedirect: redirect, externalAuth: auth, cors } = filter
  if (mirror) {
    const mirrorAt = `${at}.requestMirror`
    if (mirror.backendRef) checkBackend(errors, `${mirrorAt}.backendRef`, mirror.backendRef)
    const { percent, fraction } = mirror
    if (percent !== undefined && fraction) errors.forbidden(`${mirrorAt}.fraction`, 'may not be set together with percent')
    if (fraction && fraction.numerator > (fraction.denominator ?? 100)) {
      errors.invalid(`${mirrorAt}.fraction.numerator`, fraction.numerator, 'must be less than or equal to denominator')
    }
  }
  checkPathModifier(errors, `${at}.requestRedirect.path`, redirect?.path)
  checkPathModifier(errors, `${at}.urlRewrite.path`, filter.urlRewrite?.path)
  const status = redirect?.statusCode
  if (status !== undefined && ![301, 302, 303, 307, 308].includes(status)) {
    errors.notSupported(`${at}.requestRedirect.statusCode`, status, ['301', '302', '303', '307', '308'])
  }
  for (const list of ['allowOrigins', 'allowMethods', 'allowHeaders'] as const) {
    const values = cors?.[list]
    if (values?.includes('*') && values.length > 1) errors.invalid(`${at}.cors.${list}`, values, 'may not have others beside *')
  }
  if (!auth) return
  if (auth.backendRef) checkBackend(errors, `${at}.externalAuth.backendRef`, auth.backendRef)
  for (const [protocol, key] of [['GRPC', 'grpc'] as const, ['HTTP', 'http'] as const]) {
    if (auth.protocol === protocol && !auth[key]) errors.required(`${at}.externalAuth.${key}`, `must be set for protocol ${protocol}`)
    if (auth.protocol !== protocol && auth[key]) errors.forbidden(`${at}.externalAuth.${key}`, `may only be set for protocol ${protocol}`)
  }
}

function checkPathModifier(errors: FieldErrors, field: string, path: HTTPPathModifier | undefined): void {
  if (!path) return
  for (const [type, key] of [['ReplaceFullPath', 'replaceFullPath'] as const, ['ReplacePrefixMatch', 'replacePrefixMatch'] as const]) {
    if (path.type === type && path[key] === undefined) errors.required(`${field}.${key}`, `must be set for type ${type}`)
    if (path.type !== type && path[key] !== undefined) errors.forbidden(`${field}.${key}`, `may only be set for type ${type}`)
  }
}
