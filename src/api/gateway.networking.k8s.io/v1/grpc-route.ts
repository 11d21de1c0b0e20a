import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { hostnamesCell, type HTTPNameMatch } from './http-route.ts'
import { GATEWAY_GROUP, type BackendReference, type RouteCommonSpec, type RouteStatus } from './references.ts'
import { checkBackend, checkParents, checkRules, checkUnique, defaultParents } from './route-checks.ts'
import { checkFilters, type RouteFilter } from './route-filters.ts'
import { checkSession, type SessionPersistence } from './session-persistence.ts'

export interface GRPCRouteMatch {
  method?: { type?: 'Exact' | 'RegularExpression' | undefined; service?: string | undefined; method?: string | undefined } | undefined
  headers?: HTTPNameMatch[] | undefined
}

export interface GRPCRouteRule {
  name?: string | undefined
  /** Absent: every call. */
  matches?: GRPCRouteMatch[] | undefined
  filters?: RouteFilter[] | undefined
  backendRefs?: (BackendReference & { filters?: RouteFilter[] | undefined })[] | undefined
  sessionPersistence?: SessionPersistence | undefined
}

export interface GRPCRouteSpec extends RouteCommonSpec {
  hostnames?: string[] | undefined
  rules?: GRPCRouteRule[] | undefined
}

/** Where calls of gRPC go. */
export interface GRPCRoute extends KubeObject {
  spec: GRPCRouteSpec
  status?: RouteStatus | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.GRPCRoute'

export const grpcRoutes: KindDefinition<GRPCRoute> = defineKind<GRPCRoute>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'GRPCRoute',
  plural: 'grpcroutes',
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
        if (object.spec) checkGrpcRoute(errors, object.spec)
      }),
  },
})

function checkGrpcRoute(errors: FieldErrors, spec: GRPCRouteSpec): void {
  checkParents(errors, spec.parentRefs ?? [], false)
  const rules = spec.rules ?? []
  checkRules(errors, rules)
  rules.forEach((rule, i) => {
    const field = `spec.rules[${i}]`
    rule.matches?.forEach((match, j) => checkMatch(errors, `${field}.matches[${j}]`, match))
    checkFilters(errors, `${field}.filters`, rule.filters)
    rule.backendRefs?.forEach((backend, j) => {
      checkBackend(errors, `${field}.backendRefs[${j}]`, backend)
      checkFilters(errors, `${field}.backendRefs[${j}].filters`, backend.filters)
    })
    checkSession(errors, `${field}.sessionPersistence`, rule.sessionPersistence)
  })
}

const SERVICE = /^\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$/i
const METHOD = /^[A-Za-z_][A-Za-z_0-9]*$/

function checkMatch(errors: FieldErrors, field: string, { method, headers }: GRPCRouteMatch): void {
  checkUnique(errors, `${field}.headers`, headers)
  if (!method) return
  if (method.service === undefined && method.method === undefined) {
    errors.required(`${field}.method`, "one or both of 'service' or 'method' must be specified")
  }
  if (method.type === 'RegularExpression') return
  if (method.service !== undefined && !SERVICE.test(method.service)) {
    errors.invalid(`${field}.method.service`, method.service, 'must be the full name of a service such as shop.v1.Cart')
  }
  if (method.method !== undefined && !METHOD.test(method.method)) {
    errors.invalid(`${field}.method.method`, method.method, 'must be the name of a method such as AddItem')
  }
}
