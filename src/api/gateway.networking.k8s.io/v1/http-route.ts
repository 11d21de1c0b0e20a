import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { checkHttpRoute } from './http-route-checks.ts'
import { GATEWAY_GROUP, type BackendReference, type RouteCommonSpec, type RouteStatus } from './references.ts'
import { defaultParents } from './route-checks.ts'
import type { RouteFilter } from './route-filters.ts'
import { servedAs } from './served-version.ts'
import type { SessionPersistence } from './session-persistence.ts'

export interface HTTPNameMatch {
  name: string
  value: string
  /** Default Exact. */
  type?: 'Exact' | 'RegularExpression' | undefined
}

export interface HTTPRouteMatch {
  /** Default: the prefix `/`. */
  path?: { type?: 'Exact' | 'PathPrefix' | 'RegularExpression' | undefined; value?: string | undefined } | undefined
  headers?: HTTPNameMatch[] | undefined
  queryParams?: HTTPNameMatch[] | undefined
  method?: string | undefined
}

export interface HTTPBackendRef extends BackendReference {
  filters?: RouteFilter[] | undefined
}

export interface HTTPRouteRule {
  name?: string | undefined
  matches?: HTTPRouteMatch[] | undefined
  filters?: RouteFilter[] | undefined
  backendRefs?: HTTPBackendRef[] | undefined
  timeouts?: { request?: string | undefined; backendRequest?: string | undefined } | undefined
  retry?: { codes?: number[] | undefined; attempts?: number | undefined; backoff?: string | undefined } | undefined
  sessionPersistence?: SessionPersistence | undefined
}

export interface HTTPRouteSpec extends RouteCommonSpec {
  hostnames?: string[] | undefined
  rules?: HTTPRouteRule[] | undefined
}

/** Where HTTP requests go. */
export interface HTTPRoute extends KubeObject {
  spec: HTTPRouteSpec
  status?: RouteStatus | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.HTTPRoute'

export const httpRoutes: KindDefinition<HTTPRoute> = defineKind<HTTPRoute>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'HTTPRoute',
  plural: 'httproutes',
  categories: ['gateway-api'],
  namespaced: true,
  schema: SCHEMA,
  status: true,
  columns: [{ name: 'Hostnames', type: 'string', description: 'Hosts of the route.', value: hostnamesCell }],
  strategy: {
    setDefaults: ({ spec }) => defaultParents(spec),
    prepareForCreate: (object) => void delete object.status,
    validate: (object) =>
      collectErrors((errors) => {
        checkBounds(errors, SCHEMA, '', object)
        if (object.spec) checkHttpRoute(errors, object.spec)
      }),
  },
})

export const httpRoutesV1beta1: KindDefinition<HTTPRoute> = servedAs(httpRoutes, 'v1beta1')

/** As a CRD prints a list: JSON; nothing where there is none. */
export function hostnamesCell({ spec }: { spec?: { hostnames?: string[] | undefined } }): string {
  return spec?.hostnames ? JSON.stringify(spec.hostnames) : ''
}
