import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { policyDeprecations } from './deprecations.ts'
import type { KumaPolicy, KumaStatus, KumaTargetRef } from './kuma-object.ts'
import { checkRoute } from './route-checks.ts'
import { targetCell } from './cells.ts'

export interface KumaBackendRef extends KumaTargetRef {
  /** Default 1. */
  weight?: number | undefined
}

export interface KumaValueMatch {
  name: string
  /** Default Exact. */
  type?: 'Exact' | 'Prefix' | 'RegularExpression' | 'Present' | 'Absent' | undefined
  value?: string | undefined
}

export interface KumaHeaderModifier {
  add?: { name: string; value: string }[] | undefined
  set?: { name: string; value: string }[] | undefined
  remove?: string[] | undefined
}

export interface KumaPathChange {
  type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  replaceFullPath?: string | undefined
  replacePrefixMatch?: string | undefined
}

export interface MeshRouteFilter {
  type: 'RequestHeaderModifier' | 'ResponseHeaderModifier' | 'RequestRedirect' | 'URLRewrite' | 'RequestMirror'
  requestHeaderModifier?: KumaHeaderModifier | undefined
  responseHeaderModifier?: KumaHeaderModifier | undefined
  requestRedirect?:
    | {
        scheme?: 'http' | 'https' | undefined
        hostname?: string | undefined
        port?: number | undefined
        path?: KumaPathChange | undefined
        statusCode?: number | undefined
      }
    | undefined
  urlRewrite?: { hostname?: string | undefined; hostToBackendHostname?: boolean | undefined; path?: KumaPathChange | undefined } | undefined
  requestMirror?: { backendRef: KumaBackendRef; percentage?: number | string | undefined } | undefined
}

export interface MeshRouteRule {
  matches?:
    | {
        path?: { type: 'Exact' | 'PathPrefix' | 'RegularExpression'; value?: string | undefined } | undefined
        method?: string | undefined
        headers?: KumaValueMatch[] | undefined
        queryParams?: KumaValueMatch[] | undefined
      }[]
    | undefined
  default?: { backendRefs?: KumaBackendRef[] | undefined; filters?: MeshRouteFilter[] | undefined } | undefined
}

export interface MeshRouteSpec {
  targetRef?: KumaTargetRef | undefined
  to?: { targetRef: KumaTargetRef; hostnames?: string[] | undefined; rules?: MeshRouteRule[] | undefined }[] | undefined
}

export interface MeshRoute extends KubeObject {
  spec?: MeshRouteSpec | undefined
  status?: KumaStatus | undefined
}

const route = (kind: string, plural: string): KindDefinition<MeshRoute> =>
  defineKind<MeshRoute>({
    group: 'kuma.io',
    version: 'v1alpha1',
    kind,
    plural,
    namespaced: true,
    schema: `io.kuma.v1alpha1.${kind}`,
    status: true,
    columns: [{ name: 'TargetRef', type: 'string', description: 'Whose proxies.', value: ({ spec }) => targetCell(spec?.targetRef) }],
    strategy: {
      validate: ({ spec }) => collectErrors((errors) => checkRoute(errors, spec ?? {}, kind === 'MeshHTTPRoute')),
      warnings: (object) => policyDeprecations(object as KumaPolicy),
    },
  })

export const meshHttpRoutes: KindDefinition<MeshRoute> = route('MeshHTTPRoute', 'meshhttproutes')
export const meshTcpRoutes: KindDefinition<MeshRoute> = route('MeshTCPRoute', 'meshtcproutes')
