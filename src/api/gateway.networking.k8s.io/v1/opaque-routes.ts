import { parseIp } from '../../../base/ip.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBounds } from './gateway-bounds.ts'
import { GATEWAY_GROUP, type BackendReference, type RouteCommonSpec, type RouteStatus } from './references.ts'
import { checkBackend, checkParents, defaultParents } from './route-checks.ts'
import { servedAs } from './served-version.ts'

export interface OpaqueRouteRule {
  name?: string | undefined
  backendRefs: BackendReference[]
}

export interface OpaqueRouteSpec extends RouteCommonSpec {
  /** Exactly one. */
  rules: OpaqueRouteRule[]
  /** TLSRoute alone: server names. */
  hostnames?: string[] | undefined
}

/** A TCPRoute or a TLSRoute: where connections go. */
export interface OpaqueRoute extends KubeObject {
  spec: OpaqueRouteSpec
  status?: RouteStatus | undefined
}

const opaqueKind = (kind: 'TCPRoute' | 'TLSRoute'): KindDefinition<OpaqueRoute> => {
  const schema = `io.k8s.api.gateway.v1.${kind}`
  return defineKind<OpaqueRoute>({
    group: GATEWAY_GROUP,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    categories: ['gateway-api'],
    namespaced: true,
    schema,
    status: true,
    strategy: {
      setDefaults: ({ spec }) => defaultParents(spec),
      prepareForCreate: (object) => void delete object.status,
      validate: (object) =>
        collectErrors((errors) => {
          checkBounds(errors, schema, '', object)
          checkParents(errors, object.spec?.parentRefs ?? [], false)
          object.spec?.hostnames?.forEach((hostname, i) => {
            if (parseIp(hostname)) errors.invalid(`spec.hostnames[${i}]`, hostname, 'must be a name, not an IP address')
          })
          object.spec?.rules?.forEach((rule, i) =>
            rule.backendRefs?.forEach((backend, j) => checkBackend(errors, `spec.rules[${i}].backendRefs[${j}]`, backend)),
          )
        }),
    },
  })
}

export const tcpRoutes: KindDefinition<OpaqueRoute> = opaqueKind('TCPRoute')
export const tcpRoutesV1alpha2: KindDefinition<OpaqueRoute> = servedAs(tcpRoutes, 'v1alpha2', true)
export const tlsRoutes: KindDefinition<OpaqueRoute> = opaqueKind('TLSRoute')
export const tlsRoutesV1alpha3: KindDefinition<OpaqueRoute> = servedAs(tlsRoutes, 'v1alpha3', true)
export const tlsRoutesV1alpha2: KindDefinition<OpaqueRoute> = servedAs(tlsRoutes, 'v1alpha2', true)
