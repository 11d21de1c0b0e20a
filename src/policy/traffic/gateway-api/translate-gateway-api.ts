import type { ParentReference } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import { GATEWAY_GROUP } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { GatewayListener, TrafficRoute, TrafficRule } from '../input/route.ts'
import type { Finding } from '../input/world.ts'
import type { DownstreamTls, Origin, Secret } from '../model/index.ts'
import { sieve } from '../kuma/sieve.ts'
import { GATEWAY_CONTROLLER, originOf, type GatewayObjects, type Problem } from './gateway-objects.ts'
import { judgeParent, type JudgedGateway, type ParentJudgement } from './judge-attachment.ts'
import { backendTlsOf, judgeBackendTls, type BackendTlsJudgement } from './judge-backend-tls.ts'
import { judgeBackendCertificate } from './judge-frontend.ts'
import { isListenerUsable, judgeListeners, type ListenerJudgement } from './judge-listeners.ts'
import { indexObjects, type ObjectIndex } from './object-index.ts'
import { routeReferrer, translateBackend, type RouteContext } from './translate-backends.ts'
import { translateGrpcRules } from './translate-grpc-route.ts'
import { translateHttpRules } from './translate-http-route.ts'
import { translateIngresses } from './translate-ingress.ts'

/** What there is to say about a route. */
export interface RouteJudgement {
  readonly kind: 'HTTPRoute' | 'GRPCRoute' | 'TCPRoute' | 'TLSRoute'
  readonly route: KubeObject & { readonly spec: { readonly parentRefs?: ParentReference[] | undefined } }
  readonly origin: Origin
  /** Only those that are ours. */
  readonly parents: readonly ParentJudgement[]
  readonly resolvedRefs?: Problem
}

/** Gateway API and Ingress in the compiler's terms, and what statuses say about it. */
export interface TranslatedGatewayApi {
  readonly routes: readonly TrafficRoute[]
  readonly gateways: readonly GatewayListener[]
  /** By name. */
  readonly secrets: ReadonlyMap<string, Secret>
  readonly findings: readonly Finding[]
  /** By `namespace/name`: gateways of our classes. */
  readonly judgedGateways: ReadonlyMap<string, JudgedGateway>
  readonly judgedRoutes: readonly RouteJudgement[]
  /** By `namespace/name`: certificates that gateways show to backends, of those that ask for it. */
  readonly backendCertificates: ReadonlyMap<string, { readonly secret?: Secret; readonly problem?: Problem }>
  readonly judgedBackendTls: readonly BackendTlsJudgement[]
}

/**
 * Pure: the same objects give the same answer, in whatever order they come. What cannot be read is left out with a Finding, and keeps nothing else from having
 * its effect.
 */
export function translateGatewayApi(objects: GatewayObjects): TranslatedGatewayApi {
  try {
    return translate(objects)
  } catch {
    return translateReadable(objects)
  }
}

function translateReadable(objects: GatewayObjects): TranslatedGatewayApi {
  const written = WRITTEN.flatMap((list) => (objects[list] ?? []).map((object: KubeObject) => ({ ...object, list })))
  const { result, findings } = sieve(
    written,
    (object) => originOf(object.kind ?? '', object.apiVersion?.split('/')[0] ?? '', object),
    (some) => {
      const readable = new Set(some.map(({ list, metadata }) => `${list} ${metadata.namespace}/${metadata.name}`))
      const kept = WRITTEN.map((list) => [
        list,
        (objects[list] ?? []).filter(({ metadata }) => readable.has(`${list} ${metadata.namespace}/${metadata.name}`)),
      ])
      return translate({ ...objects, ...(Object.fromEntries(kept) as GatewayObjects) })
    },
  )
  return { ...result, findings: [...findings, ...result.findings] }
}

/** What people write; those that others refer to come first. */
const WRITTEN = [
  'referenceGrants',
  'gatewayClasses',
  'gateways',
  'backendTLSPolicies',
  'ingressClasses',
  'httpRoutes',
  'grpcRoutes',
  'tcpRoutes',
  'tlsRoutes',
  'ingresses',
] as const satisfies readonly (keyof GatewayObjects)[]

function translate(objects: GatewayObjects): TranslatedGatewayApi {
  const index = indexObjects(objects)
  const judgedGateways = judgeGateways(objects, index)
  const backendCertificates = new Map(
    [...judgedGateways].flatMap(([key, { gateway }]) => {
      const judged = judgeBackendCertificate(gateway, index)
      return judged ? [[key, judged] as const] : []
    }),
  )
  const judgedBackendTls = judgeBackendTls(objects.backendTLSPolicies ?? [], index)
  const tlsOf = backendTlsOf(judgedBackendTls, index)
  const findings: Finding[] = []
  const routes: TrafficRoute[] = []
  const judgedRoutes: RouteJudgement[] = []
  const add = <T extends RouteJudgement['route']>(
    kind: RouteJudgement['kind'],
    list: readonly T[] = [],
    rules: (route: T, context: RouteContext) => TrafficRule[],
  ): void => {
    for (const route of list) {
      const judged = translateRoute({ kind, route, index, judgedGateways, tlsOf, backendCertificates }, (context) => rules(route, context))
      if (!judged) continue
      judgedRoutes.push(judged.judgement)
      findings.push(...judged.findings)
      if (judged.translated.parents.length > 0) routes.push(judged.translated)
    }
  }
  add('HTTPRoute', objects.httpRoutes, translateHttpRules)
  add('GRPCRoute', objects.grpcRoutes, translateGrpcRules)
  for (const [kind, list] of [['TCPRoute', objects.tcpRoutes] as const, ['TLSRoute', objects.tlsRoutes] as const]) {
    add(kind, list, ({ spec }, context) =>
      spec.rules.map(({ name, backendRefs }) => ({
        ...(name ? { name } : {}),
        matches: [],
        backends: backendRefs.map((backend) => translateBackend(context, backend)),
      })),
    )
  }
  const ingress = translateIngresses(objects.ingresses ?? [], objects.ingressClasses ?? [], index)
  const used = [...judgedGateways.values()].flatMap(({ listeners }) => listeners.filter(isListenerUsable).flatMap(({ secrets }) => secrets))
  const shown = [...backendCertificates.values()].flatMap(({ secret }) => secret ?? [])
  const authorities = judgedBackendTls.flatMap((one) => (one.tls && one.authorities ? [one.authorities] : []))
  return {
    routes: [...routes, ...ingress.routes],
    gateways: [...[...judgedGateways.values()].flatMap(gatewayListeners), ...ingress.gateways],
    secrets: new Map([...used, ...authorities, ...shown, ...ingress.secrets].map((secret) => [secret.name, secret])),
    findings: [...findings, ...ingress.findings],
    judgedGateways,
    judgedRoutes,
    backendCertificates,
    judgedBackendTls,
  }
}

function judgeGateways({ gatewayClasses = [], gateways = [] }: GatewayObjects, index: ObjectIndex): Map<string, JudgedGateway> {
  const ours = new Set(gatewayClasses.filter(({ spec }) => spec.controllerName === GATEWAY_CONTROLLER).map(({ metadata }) => metadata.name))
  return new Map(
    gateways
      .filter(({ spec }) => ours.has(spec.gatewayClassName))
      .map((gateway) => [`${gateway.metadata.namespace}/${gateway.metadata.name}`, { gateway, listeners: judgeListeners(gateway, index) }]),
  )
}

interface RouteInput {
  readonly kind: RouteJudgement['kind']
  readonly route: RouteJudgement['route'] & { readonly spec: { readonly hostnames?: string[] | undefined } }
  readonly index: ObjectIndex
  readonly judgedGateways: ReadonlyMap<string, JudgedGateway>
  readonly tlsOf: RouteContext['tlsOf']
  readonly backendCertificates: TranslatedGatewayApi['backendCertificates']
}

function translateRoute(
  { kind, route, index, judgedGateways, tlsOf, backendCertificates }: RouteInput,
  rulesOf: (context: RouteContext) => TrafficRule[],
): { judgement: RouteJudgement; translated: TrafficRoute; findings: Finding[] } | undefined {
  const origin = originOf(kind, GATEWAY_GROUP, route)
  const hostnames = (route.spec.hostnames ?? []).map((one) => one.toLowerCase())
  const shape = { kind, namespace: origin.namespace, hostnames }
  const attached = (route.spec.parentRefs ?? [])
    .map((parentRef) => judgeParent(shape, parentRef, judgedGateways, index))
    .filter((one) => one !== undefined)
  if (attached.length === 0) return undefined
  const certificate = shownCertificate(attached, backendCertificates)
  const context: RouteContext = {
    from: routeReferrer(kind, origin.namespace),
    index,
    tlsOf(namespace, name, port) {
      const tls = tlsOf(namespace, name, port)
      return tls && tls !== 'refused' && tls.mode === 'tls' && certificate ? { ...tls, certificate } : tls
    },
    ownServices: ownServices(route.spec.parentRefs ?? [], origin.namespace),
    unresolved: [],
    unsupported: [],
  }
  const rules = rulesOf(context)
  const unsupported = context.unsupported[0]
  // a route that cannot be carried out as written is refused as a whole: half of it could let pass what the other half was to stop
  const parents = unsupported
    ? attached.map(({ parentRef }): ParentJudgement => ({ parentRef, accepted: unsupported, parents: [] }))
    : attached
  const problems = [
    ...context.unresolved,
    ...context.unsupported,
    ...parents.flatMap(({ accepted }) => (accepted && accepted !== unsupported ? [accepted] : [])),
  ]
  const resolvedRefs = context.unresolved[0]
  return {
    judgement: { kind, route, origin, parents, ...(resolvedRefs ? { resolvedRefs } : {}) },
    translated: {
      origin,
      ...(route.metadata.labels ? { labels: route.metadata.labels } : {}),
      kind: ({ HTTPRoute: 'http', GRPCRoute: 'grpc', TCPRoute: 'tcp', TLSRoute: 'tls' } as const)[kind],
      parents: parents.flatMap((parent) => parent.parents),
      hostnames,
      rules,
      unmatched: 'notFound',
    },
    findings: problems.map(({ reason, message }) => ({ origin, type: 'Invalid', reason, message })),
  }
}

/** Name of the certificate that backends of a route see: its first gateway's that has one. */
function shownCertificate(
  attached: readonly ParentJudgement[],
  certificates: TranslatedGatewayApi['backendCertificates'],
): string | undefined {
  for (const parent of attached.flatMap(({ parents }) => parents)) {
    const name = parent.type === 'gateway' ? certificates.get(`${parent.namespace}/${parent.name}`)?.secret?.name : undefined
    if (name) return name
  }
  return undefined
}

function ownServices(parents: readonly ParentReference[], own: string): ReadonlySet<string> {
  if (!parents.every(({ group, kind }) => group === '' && kind === 'Service')) return new Set()
  return new Set(parents.map(({ namespace = own, name }) => `${namespace}/${name}`))
}

function gatewayListeners({ gateway, listeners }: JudgedGateway): GatewayListener[] {
  const origin = originOf('Gateway', GATEWAY_GROUP, gateway)
  return listeners.filter(isListenerUsable).map((judged) => {
    const { listener } = judged
    const tls = downstreamTls(judged)
    return {
      gateway: { namespace: origin.namespace, name: origin.name },
      section: listener.name,
      port: listener.port,
      protocol: PROTOCOLS[listener.protocol] ?? 'tcp',
      ...(listener.hostname ? { hostname: listener.hostname.toLowerCase() } : {}),
      ...(tls ? { tls } : {}),
      origin,
    }
  })
}

const PROTOCOLS: Readonly<Record<string, GatewayListener['protocol']>> = { HTTP: 'http', HTTPS: 'https', TLS: 'tls', TCP: 'tcp' }

function downstreamTls({ listener, secrets, clientCa }: ListenerJudgement): DownstreamTls | undefined {
  if (listener.protocol !== 'HTTPS' && listener.protocol !== 'TLS') return undefined
  if (listener.protocol === 'TLS' && listener.tls?.mode === 'Passthrough') return { mode: 'passthrough' }
  return {
    mode: 'terminate',
    certificates: secrets.filter(({ certificate }) => certificate !== undefined).map(({ name }) => name),
    ...(clientCa ? { clientCa } : {}),
    alpn: listener.protocol === 'HTTPS' ? ['h2', 'http/1.1'] : [],
  }
}
