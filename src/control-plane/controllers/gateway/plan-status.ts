import { deepEqual } from '../../../api/meta/equality.ts'
import {
  backendTLSPolicies,
  gatewayClasses,
  gateways,
  grpcRoutes,
  httpRoutes,
  listenerSets,
  tcpRoutes,
  tlsRoutes,
} from '../../../api/gateway.networking.k8s.io/v1/index.ts'
import { ingresses } from '../../../api/networking/v1/ingress.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import {
  GATEWAY_CONTROLLER,
  indexObjects,
  INGRESS_GATEWAY,
  isOurIngress,
  type GatewayObjects,
  type TranslatedGatewayApi,
} from '../../../policy/traffic/gateway-api/index.ts'
import { planGatewayStatus } from './plan-gateway-status.ts'
import { planListenerSetStatus } from './plan-listener-set-status.ts'
import { planPolicyStatus } from './plan-policy-status.ts'
import { planRouteStatus } from './plan-route-status.ts'
import { conditionOf, withConditions } from './status-conditions.ts'
import { SUPPORTED_FEATURES } from './supported-features.ts'

/** Whether data planes carry out the newest of an object; the message says who does not, or that all do. */
export interface ProgrammedAnswer {
  readonly ok: boolean
  readonly message: string
}

/** What statuses depend on besides objects. */
export interface StatusSources {
  /** For Gateways and routes. */
  programmed(kind: string, object: KubeObject): ProgrammedAnswer
  /** Addresses of the Service in front of a gateway: IP addresses or host names. */
  addresses(gateway: { readonly namespace: string; readonly name: string }): readonly string[]
  /** RFC 3339. */
  readonly now: string
}

/** A status to be written: the object with it. */
export interface StatusWrite {
  readonly kind: KindDefinition<any>
  readonly object: KubeObject
}

/**
 * The statuses of everything of Gateway API that is ours, and of our Ingresses: those that differ from what is there. What other controllers wrote stays.
 * Source: Gateway API, conditions and reasons of each kind.
 */
export function planStatus(objects: GatewayObjects, translated: TranslatedGatewayApi, sources: StatusSources): StatusWrite[] {
  const writes: StatusWrite[] = []
  const add = <T extends KubeObject & { status?: unknown }>(kind: KindDefinition<T>, object: T, status: unknown): void => {
    if (!deepEqual(status, object.status)) writes.push({ kind, object: { ...object, status } })
  }
  for (const one of objects.gatewayClasses ?? []) {
    if (one.spec.controllerName !== GATEWAY_CONTROLLER) continue
    const problem = one.spec.parametersRef && { reason: 'InvalidParameters', message: 'Classes of this controller take no parameters' }
    const accepted = conditionOf('Accepted', problem, { reason: 'Accepted', message: 'Gateways of the class are looked after' })
    const conditions = withConditions(one.status?.conditions, [accepted], one.metadata.generation, sources.now)
    add(gatewayClasses, one, { ...one.status, conditions, supportedFeatures: SUPPORTED_FEATURES.map((name) => ({ name })) })
  }
  for (const judged of translated.judgedGateways.values()) add(gateways, judged.gateway, planGatewayStatus(judged, translated, sources))
  const index = indexObjects(objects)
  for (const set of objects.listenerSets ?? []) {
    const status = planListenerSetStatus(set, translated, index, sources.now)
    if (status) add(listenerSets, set, status)
  }
  const lists = [
    { kind: httpRoutes, list: objects.httpRoutes },
    { kind: grpcRoutes, list: objects.grpcRoutes },
    { kind: tcpRoutes, list: objects.tcpRoutes },
    { kind: tlsRoutes, list: objects.tlsRoutes },
  ] as const
  const judgements = new Map(translated.judgedRoutes.map((one) => [`${one.kind}/${one.origin.namespace}/${one.origin.name}`, one]))
  for (const { kind, list = [] } of lists) {
    for (const route of list) {
      const judgement = judgements.get(`${kind.kind}/${route.metadata.namespace}/${route.metadata.name}`)
      const status = planRouteStatus(kind.kind, route, judgement, sources)
      if (status) add(kind as KindDefinition<any>, route, status)
    }
  }
  for (const judged of translated.judgedBackendTls) add(backendTLSPolicies, judged.policy, planPolicyStatus(judged, translated, sources))
  const ingress = sources
    .addresses(INGRESS_GATEWAY)
    .map((address) => (/[a-z]/i.test(address) && !address.includes(':') ? { hostname: address } : { ip: address }))
  for (const one of objects.ingresses ?? []) {
    if (isOurIngress(one, objects.ingressClasses ?? []))
      add(ingresses, one, { ...one.status, loadBalancer: ingress.length > 0 ? { ingress } : {} })
  }
  return writes
}
