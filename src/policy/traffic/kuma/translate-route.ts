import {
  parseKumaPercent,
  policyDeprecations,
  type KumaBackendRef,
  type KumaHeaderModifier,
  type KumaPathChange,
  type KumaPolicy,
  type KumaTargetRef,
  type KumaValueMatch,
  type MeshRoute,
  type MeshRouteRule,
} from '../../../api/kuma.io/v1alpha1/index.ts'
import {
  serviceKey,
  type BackendRef,
  type Finding,
  type MeshServiceView,
  type OutboundTarget,
  type RouteParent,
  type TrafficRoute,
  type TrafficRule,
} from '../input/index.ts'
import type { HeaderModifier, Origin, Rewrite, RouteMatch, StringMatch } from '../model/index.ts'
import { originOf, type KumaInput } from './kuma-input.ts'
import { selectProxies } from './select-proxies.ts'
import { outboundTarget, roleOf } from './translate-policy.ts'

/** One MeshHTTPRoute or MeshTCPRoute: a TrafficRoute for each destination. `services`: all that routes may name, Kuma's among them. */
export function translateRoute(
  route: MeshRoute,
  input: KumaInput,
  services: ReadonlyMap<string, MeshServiceView>,
  findings: Finding[],
): readonly TrafficRoute[] {
  const origin = originOf(route)
  for (const message of policyDeprecations(route as KumaPolicy))
    findings.push({ origin, type: 'Deprecated', reason: 'DeprecatedSpelling', message })
  const role = roleOf(route as KumaPolicy, input.systemNamespace)
  const within = role === 'system' || role === 'producer' ? undefined : origin.namespace
  return (route.spec?.to ?? []).flatMap((to, i): TrafficRoute[] => {
    const isHttp = origin.kind === 'MeshHTTPRoute'
    const found = parentsOf(route.spec?.targetRef, to.targetRef, origin, services, within)
    if (found.parents.length === 0) {
      findings.push({ origin, type: 'Invalid', reason: 'TargetNotFound', message: `spec.to[${i}].targetRef: there is no such service` })
      return []
    }
    const rules = (to.rules ?? []).map((rule, j) =>
      translateRule(rule, `${i}-${j}`, {
        origin,
        services,
        findings,
        field: `spec.to[${i}].rules[${j}]`,
        port: found.port,
        self: found.self,
      }),
    )
    return [
      {
        origin,
        ...(route.metadata.labels ? { labels: route.metadata.labels } : {}),
        kind: isHttp ? 'http' : 'tcp',
        parents: found.parents,
        hostnames: (to.hostnames ?? []).map((host) => host.toLowerCase()),
        rules,
        unmatched: 'passThrough',
      },
    ]
  })
}

interface Parents {
  readonly parents: readonly RouteParent[]
  /** The service itself: where requests go for which no backend is named. */
  readonly self: readonly MeshServiceView[]
  readonly port: number | undefined
}

function parentsOf(
  top: KumaTargetRef | undefined,
  ref: KumaTargetRef,
  origin: Origin,
  services: ReadonlyMap<string, MeshServiceView>,
  within: string | undefined,
): Parents {
  if (top?.kind === 'MeshGateway') {
    const section = top.sectionName === undefined ? {} : { section: top.sectionName }
    return { parents: [{ type: 'gateway', namespace: '', name: top.name ?? '', ...section }], self: [], port: undefined }
  }
  const target = ref.kind === 'Mesh' ? {} : outboundTarget(ref, origin)
  const self = findServices(target, services)
  const selector = selectProxies(top, undefined)
  const limits = {
    ...(within === undefined ? {} : { consumers: within }),
    ...(Object.keys(selector).length > 0 ? { proxies: selector } : {}),
  }
  const parents = self.flatMap((service): RouteParent[] => {
    const port = portOf(service, target.service?.port)
    if (target.service?.port !== undefined && port === undefined) return []
    return [{ type: 'service', namespace: service.namespace, name: service.name, ...(port === undefined ? {} : { port }), ...limits }]
  })
  return { parents, self, port: self.length === 1 ? portOf(self[0]!, target.service?.port) : undefined }
}

/** Services that a target means, in the order of their names. */
export function findServices(
  { service: wanted }: OutboundTarget,
  services: ReadonlyMap<string, MeshServiceView>,
): readonly MeshServiceView[] {
  if (wanted?.name !== undefined && wanted.namespace !== undefined && !wanted.labels) {
    const one = services.get(serviceKey(wanted.namespace, wanted.name))
    return one && (wanted.kind ?? one.kind) === one.kind ? [one] : []
  }
  return [...services.values()]
    .filter(
      (one) =>
        (wanted?.kind ?? one.kind) === one.kind &&
        (wanted?.namespace ?? one.namespace) === one.namespace &&
        (wanted?.name ?? one.name) === one.name &&
        Object.entries(wanted?.labels ?? {}).every(([label, value]) => one.labels[label] === value),
    )
    .sort((a, b) => (serviceKey(a.namespace, a.name) < serviceKey(b.namespace, b.name) ? -1 : 1))
}

function portOf({ ports }: MeshServiceView, wanted: string | undefined): number | undefined {
  return wanted === undefined ? undefined : ports.find(({ port, name }) => String(port) === wanted || name === wanted)?.port
}

interface RuleContext extends Omit<Parents, 'parents'> {
  readonly origin: Origin
  readonly services: ReadonlyMap<string, MeshServiceView>
  readonly findings: Finding[]
  readonly field: string
}

function translateRule(rule: MeshRouteRule, name: string, context: RuleContext): TrafficRule {
  const { backendRefs, filters = [] } = rule.default ?? {}
  const own = context.self.map((service): BackendRef => ({
    kind: service.kind,
    namespace: service.namespace,
    name: service.name,
    port: context.port ?? service.ports[0]?.port ?? 0,
    weight: 1,
  }))
  const backends = backendRefs?.length
    ? backendRefs.map((ref, i) => backend(ref, `${context.field}.default.backendRefs[${i}]`, context))
    : own
  const out: { -readonly [Key in keyof TrafficRule]: TrafficRule[Key] } = { name, matches: (rule.matches ?? []).map(routeMatch), backends }
  const mirrors = filters.flatMap(({ requestMirror: mirror }, i) =>
    mirror
      ? [
          {
            backend: backend(mirror.backendRef, `${context.field}.default.filters[${i}].requestMirror.backendRef`, context),
            percentage: parseKumaPercent(mirror.percentage ?? 100) ?? 100,
          },
        ]
      : [],
  )
  if (mirrors.length > 0) out.mirrors = mirrors
  for (const { requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite } of filters) {
    if (requestHeaderModifier) out.requestHeaders = headerModifier(requestHeaderModifier)
    if (responseHeaderModifier) out.responseHeaders = headerModifier(responseHeaderModifier)
    if (urlRewrite)
      out.rewrite = { ...(urlRewrite.hostname === undefined ? {} : { host: urlRewrite.hostname }), ...pathChange(urlRewrite.path) }
    if (requestRedirect) {
      const { scheme, hostname, port, path, statusCode = 302 } = requestRedirect
      out.redirect = {
        type: 'redirect',
        status: statusCode as 302,
        ...(scheme === undefined ? {} : { scheme }),
        ...(hostname === undefined ? {} : { host: hostname }),
        ...(port === undefined ? {} : { port }),
        ...pathChange(path),
      }
    }
  }
  return out
}

function backend(ref: KumaBackendRef, field: string, { origin, services, findings, port: calledPort }: RuleContext): BackendRef {
  const target = ref.kind === 'Service' ? outboundTarget({ ...ref, kind: 'MeshService' }, origin) : outboundTarget(ref, origin)
  const [service] = findServices(target, services)
  const wanted = ref.port === undefined ? target.service?.port : String(ref.port)
  const port =
    service &&
    (portOf(service, wanted) ?? (wanted === undefined ? (portOf(service, String(calledPort)) ?? service.ports[0]?.port) : undefined))
  const base = {
    kind: service?.kind ?? target.service?.kind ?? 'Service',
    namespace: service?.namespace ?? target.service?.namespace ?? origin.namespace,
    name: service?.name ?? target.service?.name ?? '',
    port: port ?? ref.port ?? 0,
    weight: ref.weight ?? 1,
  } as const
  if (service && port !== undefined) return base
  const invalid = service ? 'PortNotFound' : 'BackendNotFound'
  findings.push({
    origin,
    type: 'Invalid',
    reason: invalid,
    message: `${field}: ${service ? 'the service has no such port' : 'there is no such service'}; its share is answered with 500`,
  })
  return { ...base, invalid }
}

function routeMatch({ path, method, headers, queryParams }: NonNullable<MeshRouteRule['matches']>[number]): RouteMatch {
  const value = path?.value ?? '/'
  const match = path && (path.type === 'Exact' ? { exact: value } : path.type === 'PathPrefix' ? { pathPrefix: value } : { regex: value })
  return {
    ...(match ? { path: match } : {}),
    ...(method === undefined ? {} : { method }),
    ...(headers?.length
      ? {
          headers: headers.map((one) => ({
            name: one.name.toLowerCase(),
            value: valueMatch(one),
            ...(one.type === 'Absent' ? { invert: true } : {}),
          })),
        }
      : {}),
    ...(queryParams?.length ? { query: queryParams.map((one) => ({ name: one.name, value: valueMatch(one) })) } : {}),
  }
}

/** How a header or parameter is compared; `Absent` is `present`, to be inverted by the caller. */
export function valueMatch({ type = 'Exact', value = '' }: KumaValueMatch): StringMatch {
  if (type === 'Present' || type === 'Absent') return { present: true }
  if (type === 'RegularExpression') return { regex: value }
  return type === 'Prefix' ? { prefix: value } : { exact: value }
}

/** Names in lower case. */
export function headerModifier({ add, set, remove }: KumaHeaderModifier): HeaderModifier {
  const lower = (list: { name: string; value: string }[]): { name: string; value: string }[] =>
    list.map(({ name, value }) => ({ name: name.toLowerCase(), value }))
  return {
    ...(remove?.length ? { remove: remove.map((name) => name.toLowerCase()) } : {}),
    ...(set?.length ? { set: lower(set) } : {}),
    ...(add?.length ? { add: lower(add) } : {}),
  }
}

function pathChange(path: KumaPathChange | undefined): Pick<Rewrite, 'path'> {
  if (!path) return {}
  return path.type === 'ReplaceFullPath'
    ? { path: { type: 'full', value: path.replaceFullPath ?? '/' } }
    : { path: { type: 'prefix', value: path.replacePrefixMatch ?? '/' } }
}
