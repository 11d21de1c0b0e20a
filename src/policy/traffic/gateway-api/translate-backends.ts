import { GATEWAY_GROUP, type BackendReference } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { RouteFilter } from '../../../api/gateway.networking.k8s.io/v1/route-filters.ts'
import type { BackendRef } from '../input/route.ts'
import type { UpstreamTls } from '../model/index.ts'
import type { Problem } from './gateway-objects.ts'
import type { ObjectIndex, Referrer } from './object-index.ts'
import { headerModifier } from './header-modifier.ts'

/** What translating one route needs and collects. */
export interface RouteContext {
  readonly from: Referrer
  readonly index: ObjectIndex
  /** `namespace/name` of services that the route is for, and for nothing else: a consumer route may lead to its own parent without a grant (GEP-1426). */
  readonly ownServices: ReadonlySet<string>
  /** TLS towards a port of a service, by BackendTLSPolicy. */
  tlsOf(namespace: string, name: string, port: number): UpstreamTls | 'refused' | undefined
  /** The first is what the condition ResolvedRefs says. */
  readonly unresolved: Problem[]
  /** The first is what the condition Accepted says: parts that cannot be carried out. */
  readonly unsupported: Problem[]
}

const KUMA_KINDS = ['MeshExternalService', 'MeshMultiZoneService'] as const

/** A reference with its fate: a broken one keeps its share of the traffic, which is answered with 500. */
export function translateBackend(context: RouteContext, reference: BackendReference & { filters?: RouteFilter[] | undefined }): BackendRef {
  const { group = '', kind = 'Service', name, namespace = context.from.namespace, weight = 1 } = reference
  const port = reference.port ?? 0
  const broken = invalidReason(context, reference)
  const asked = broken ? undefined : context.tlsOf(namespace, name, port)
  // the reference itself is in order, so the route's status says nothing; the policy's does
  const invalid = asked === 'refused' ? 'UnsupportedProtocol' : broken
  const tls = asked === 'refused' ? undefined : asked
  const filters = Object.fromEntries((reference.filters ?? []).map((filter) => [filter.type, filter]))
  const other = Object.keys(filters).find((type) => type !== 'RequestHeaderModifier' && type !== 'ResponseHeaderModifier')
  if (other) {
    const message = `Filter ${other} stands on a backend: only RequestHeaderModifier and ResponseHeaderModifier are carried out there`
    context.unsupported.push({ reason: 'UnsupportedValue', message })
  }
  const request = headerModifier(filters['RequestHeaderModifier']?.requestHeaderModifier)
  const response = headerModifier(filters['ResponseHeaderModifier']?.responseHeaderModifier)
  return {
    namespace,
    name,
    kind: KUMA_KINDS.find((one) => group === 'kuma.io' && one === kind) ?? 'Service',
    port,
    weight,
    ...(invalid ? { invalid } : {}),
    ...(request ? { requestHeaders: request } : {}),
    ...(response ? { responseHeaders: response } : {}),
    ...(tls ? { tls } : {}),
  }
}

function invalidReason(context: RouteContext, reference: BackendReference): BackendRef['invalid'] {
  const { group = '', kind = 'Service', name, namespace = context.from.namespace, port } = reference
  const problem = (reason: string, message: string): void => void context.unresolved.push({ reason, message })
  const shown = `${kind} ${namespace}/${name}`
  const isService = group === '' && kind === 'Service'
  if (!isService && !(group === 'kuma.io' && KUMA_KINDS.some((one) => one === kind))) {
    problem('InvalidKind', `A backend of kind ${kind}${group === '' ? '' : ` of ${group}`} cannot be reached; use a Service`)
    return 'InvalidKind'
  }
  const isOwn = isService && context.ownServices.has(`${namespace}/${name}`)
  if (!isOwn && !context.index.isPermitted(context.from, { group, kind, namespace, name })) {
    problem('RefNotPermitted', `${shown} may not be referred to: no ReferenceGrant of namespace ${namespace} permits it`)
    return 'RefNotPermitted'
  }
  if (!isService) return undefined
  const service = context.index.service(namespace, name)
  if (!service) {
    problem('BackendNotFound', `${shown} does not exist`)
    return 'BackendNotFound'
  }
  const found = (service.spec?.ports ?? []).find((one) => one.port === port)
  if (!found) {
    problem('BackendNotFound', `${shown} has no port ${port}`)
    return 'PortNotFound'
  }
  const appProtocol = found.appProtocol
  const isHttp = context.from.kind === 'HTTPRoute' || context.from.kind === 'GRPCRoute'
  if (isHttp && (appProtocol === 'tcp' || appProtocol === 'kubernetes.io/udp')) {
    problem('UnsupportedProtocol', `Port ${port} of ${shown} speaks ${appProtocol}, which no ${context.from.kind} can carry`)
    return 'UnsupportedProtocol'
  }
  return undefined
}

/** Who refers, for a route of that kind. */
export const routeReferrer = (kind: string, namespace: string): Referrer => ({ group: GATEWAY_GROUP, kind, namespace })
