import {
  policyDeprecations,
  type KumaCallerMatch,
  type KumaConf,
  type KumaPolicy,
  type KumaTargetRef,
} from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { CallerMatch, Finding, OutboundTarget, ProxySelector, TrafficPolicy } from '../input/index.ts'
import { originName, type Origin } from '../model/index.ts'
import { callersOf } from './callers.ts'
import { originOf, type KumaInput } from './kuma-input.ts'
import { normalConf } from './normal-conf.ts'
import { permissionRules } from './permission-rules.ts'
import { selectorRank, selectProxies } from './select-proxies.ts'
import { readServiceTag } from './service-tag.ts'

/** One policy of the common frame, in the one form. Kuma 2's `from`, tags and actions are turned into callers by SPIFFE id, and reported. */
export function translatePolicy(policy: KumaPolicy, input: KumaInput, trustDomain: string, findings: Finding[]): TrafficPolicy {
  const origin = originOf(policy)
  const spec = policy.spec ?? {}
  for (const message of policyDeprecations(policy)) findings.push({ origin, type: 'Deprecated', reason: 'DeprecatedSpelling', message })
  const role = roleOf(policy, input.systemNamespace)
  const selector = selectProxies(spec.targetRef, role === 'system' || role === 'producer' ? undefined : origin.namespace)
  const to = spec.to?.map(({ targetRef, default: conf }) => ({ target: outboundTarget(targetRef, origin), conf: normalConf(conf ?? {}) }))
  const rules = inboundRules(policy, origin, input, trustDomain, findings)
  // spans are made where requests are handled: in both directions
  const whole = spec.default ? normalConf(spec.default) : undefined
  const traced =
    origin.kind === 'MeshTrace' && whole !== undefined ? { to: [{ target: {}, conf: whole }], rules: [{ matches: [], conf: whole }] } : {}
  return {
    type: origin.kind,
    origin,
    proxies: selector,
    rank: [ROLES.indexOf(role), selectorRank(selector)],
    ...(to ? { to } : {}),
    ...(rules ? { rules } : {}),
    ...(whole === undefined ? {} : { conf: whole }),
    ...traced,
  }
}

/** What is left of a policy that cannot be read: whom it is for, as far as that can be read; else all that it may be for. */
export function brokenPolicy(policy: KubeObject, systemNamespace: string, broken: string): TrafficPolicy {
  const origin = originOf(policy)
  const isSystem = origin.namespace === systemNamespace || origin.namespace === ''
  const within = isSystem ? undefined : origin.namespace
  let proxies: ProxySelector = within === undefined ? {} : { namespace: within }
  try {
    proxies = selectProxies((policy as KumaPolicy).spec?.targetRef, within)
  } catch {
    // all of its namespace
  }
  return {
    type: origin.kind,
    origin,
    proxies,
    rank: [ROLES.indexOf(isSystem ? 'system' : 'workload-owner'), selectorRank(proxies)],
    broken,
  }
}

const ROLES = ['system', 'producer', 'consumer', 'workload-owner'] as const

/**
 * Whose word a policy is. In the system namespace: the operator's. Else, with `to`: of a producer if every destination is a service of its own namespace and it
 * selects no proxies (it then holds for callers everywhere), or of a consumer. Without: of the workload's owner. Source: Kuma, policy roles.
 */
export function roleOf({ metadata, spec }: KumaPolicy, systemNamespace: string): (typeof ROLES)[number] {
  const namespace = metadata?.namespace ?? ''
  if (namespace === systemNamespace || namespace === '') return 'system'
  if (!spec?.to?.length) return 'workload-owner'
  const selectsNone = spec.targetRef === undefined || (spec.targetRef.kind === 'Mesh' && spec.targetRef.proxyTypes === undefined)
  const isOwn = spec.to.every(({ targetRef }) => targetRef?.kind !== 'Mesh' && namespaceOf(targetRef, namespace) === namespace)
  return selectsNone && isOwn ? 'producer' : 'consumer'
}

function namespaceOf(ref: KumaTargetRef | undefined, own: string): string | undefined {
  const named = ref?.labels?.['k8s.kuma.io/namespace']
  return readServiceTag(ref?.name ?? '')?.namespace ?? ref?.namespace ?? named ?? own
}

const SERVICE_KINDS: Readonly<Record<string, NonNullable<OutboundTarget['service']>['kind']>> = {
  MeshService: 'Service',
  MeshServiceSubset: 'Service',
  MeshExternalService: 'MeshExternalService',
  MeshMultiZoneService: 'MeshMultiZoneService',
}

/** Labels that Kuma puts on its services itself, and what they stand for here. */
const NAME_LABEL = 'kuma.io/display-name'
const NAMESPACE_LABEL = 'k8s.kuma.io/namespace'

/** A destination of a policy or a route. Names are of the object's own namespace where none is given. */
export function outboundTarget(ref: KumaTargetRef, origin: Origin): OutboundTarget {
  const {
    [NAME_LABEL]: labelledName,
    [NAMESPACE_LABEL]: labelledNamespace,
    'k8s.kuma.io/service-name': serviceName,
    ...labels
  } = ref.labels ?? {}
  const tag = readServiceTag(ref.name ?? '')
  const name = tag?.name ?? ref.name ?? labelledName ?? serviceName
  const namespace = tag?.namespace ?? ref.namespace ?? labelledNamespace ?? (ref.labels ? undefined : origin.namespace)
  const port = ref.sectionName ?? (tag?.port === undefined ? undefined : String(tag.port))
  const wanted = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
  }
  if (ref.kind === 'MeshHTTPRoute' || ref.kind === 'MeshTCPRoute') return { route: wanted }
  const kind = SERVICE_KINDS[ref.kind]
  return kind ? { service: { kind, ...wanted, ...(port === undefined ? {} : { port }) } } : {}
}

function inboundRules(
  policy: KumaPolicy,
  origin: Origin,
  input: KumaInput,
  trustDomain: string,
  findings: Finding[],
): TrafficPolicy['rules'] | undefined {
  const { rules, from } = policy.spec ?? {}
  const isPermission = origin.kind === 'MeshTrafficPermission'
  if (rules) {
    return rules.map(({ matches, default: conf = {} }) => ({
      matches: (matches ?? []).map(callerMatch),
      conf: isPermission ? permissionConf(conf, originName(origin)) : normalConf(conf),
    }))
  }
  if (!from) return undefined
  const read = from.map(({ targetRef, default: conf = {} }, i) => {
    const callers = callersOf(targetRef, input.proxies, trustDomain)
    if (callers.shared.length > 0) {
      const message = `spec.from[${i}].targetRef: labels do not separate the callers, other proxies have the same service accounts and are meant too: ${callers.shared.slice(0, 5).join(', ')}. Give the callers a service account of their own`
      findings.push({ origin, type: 'Deprecated', reason: 'CallersNotSeparated', message })
    }
    if (callers.matches.length === 0) {
      findings.push({
        origin,
        type: 'Shadowed',
        reason: 'NoSuchCallers',
        message: `spec.from[${i}].targetRef: no proxy carries these tags, so nobody is meant`,
      })
    }
    return { callers, conf }
  })
  if (isPermission) {
    const known = input.proxies.map((proxy) => proxy)
    return permissionRules(
      read.map(({ callers, conf }) => ({ callers, action: conf['action'] as string | undefined })),
      known,
      trustDomain,
      originName(origin),
    )
  }
  return read
    .filter(({ callers }) => callers.matches.length > 0)
    .map(({ callers, conf }) => ({ matches: callers.everybody ? [] : callers.matches, conf: normalConf(conf) }))
}

/** A match of Kuma 3. `Prefix` of an id ends between segments of its path. */
export function callerMatch({ spiffeID, sni }: KumaCallerMatch): CallerMatch {
  return {
    ...(spiffeID ? { spiffeId: spiffeID.type === 'Exact' ? { exact: spiffeID.value } : { prefix: spiffeID.value } } : {}),
    ...(sni ? { serverName: { exact: sni.value } } : {}),
  }
}

function permissionConf(conf: KumaConf, name: string): unknown {
  const list = (field: string): unknown => ((conf[field] ?? []) as KumaCallerMatch[]).map((match) => ({ match: callerMatch(match), name }))
  return { deny: list('deny'), shadowDeny: list('allowWithShadowDeny'), allow: list('allow') }
}
