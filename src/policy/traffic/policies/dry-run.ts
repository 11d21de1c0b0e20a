import { compileRbac, Peer, requestView, type RequestView } from '../evaluate/index.ts'
import { mergeInbound, policiesFor } from '../kuma/merging.ts'
import type { AuthorizationConf } from '../kuma/translate-own.ts'
import type { MeshWorld, ProxyView, TrafficPolicy } from '../input/index.ts'
import type { Rbac } from '../model/index.ts'
import { meshAuthorizationPolicy } from './mesh-authorization-policy/index.ts'
import { meshTrafficPermission } from './mesh-traffic-permission/index.ts'

/** Calls that were seen, alike in all but their number. */
export interface ObservedCall {
  /** SPIFFE id; absent: the caller showed none, in plain text. */
  readonly caller?: string
  /** Of the caller. */
  readonly address?: string
  readonly service: { readonly namespace: string; readonly name: string }
  readonly port: number
  /** Of a request; absent for bytes. */
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly count: number
}

export interface DryRunReport {
  /** What the policy changes, most calls first. */
  readonly changes: readonly {
    readonly call: ObservedCall
    readonly previously: 'allow' | 'deny'
    readonly would: 'allow' | 'deny'
    readonly rule: string
  }[]
  /** Calls by what becomes of them. */
  readonly counts: {
    readonly stillAllowed: number
    readonly stillDenied: number
    readonly newlyAllowed: number
    readonly newlyDenied: number
    readonly unknown: number
  }
}

/**
 * What a policy would have done to traffic that was seen, beside the policies that are in force: a policy of the same kind and name is replaced by it. Policies
 * that are not about permission change nothing. Conditions on headers and claims are judged as if none had been sent; calls to services that no known proxy
 * serves are counted as unknown.
 */
export function dryRun(
  policy: TrafficPolicy,
  observed: readonly ObservedCall[],
  world: MeshWorld,
  proxies: readonly ProxyView[],
): DryRunReport {
  const others = world.policies.filter(
    ({ type, origin }) => type !== policy.type || origin.namespace !== policy.origin.namespace || origin.name !== policy.origin.name,
  )
  const serving = servingOf(proxies)
  const before = judgeOf(world, world.policies, serving)
  const after = judgeOf(world, [...others, enforced(policy)], serving)
  const counts = { stillAllowed: 0, stillDenied: 0, newlyAllowed: 0, newlyDenied: 0, unknown: 0 }
  const changes: { call: ObservedCall; previously: 'allow' | 'deny'; would: 'allow' | 'deny'; rule: string }[] = []
  for (const call of observed) {
    const previously = before(call)
    const would = after(call)
    if (!previously || !would) counts.unknown += call.count
    else if (previously.verdict === would.verdict) counts[would.verdict === 'allow' ? 'stillAllowed' : 'stillDenied'] += call.count
    else {
      counts[would.verdict === 'allow' ? 'newlyAllowed' : 'newlyDenied'] += call.count
      changes.push({ call, previously: previously.verdict, would: would.verdict, rule: would.rule })
    }
  }
  return { changes: changes.sort((a, b) => b.call.count - a.call.count), counts }
}

/** A policy under trial as it would be without its `dryRun`. */
function enforced(policy: TrafficPolicy): TrafficPolicy {
  if (policy.type !== 'MeshAuthorizationPolicy') return policy
  const rules = (policy as TrafficPolicy<AuthorizationConf>).rules?.map((rule) => ({
    ...rule,
    conf: {
      ...rule.conf,
      rbac: meshAuthorizationPolicy.merge([rule.conf, { ...rule.conf, rbac: rule.conf.dryRun }]).rbac,
      dryRun: { deny: [], allow: [] },
    },
  }))
  return { ...policy, ...(rules ? { rules } : {}) }
}

interface Verdict {
  readonly verdict: 'allow' | 'deny'
  readonly rule: string
}

type Serving = readonly { readonly proxy: ProxyView; readonly port: ProxyView['ports'][number] }[]

/** Proxies and their ports by the port of a service that leads to them. */
function servingOf(proxies: readonly ProxyView[]): (call: ObservedCall) => Serving {
  const serving = new Map<string, { proxy: ProxyView; port: ProxyView['ports'][number] }[]>()
  for (const proxy of proxies) {
    for (const port of proxy.ports) {
      for (const service of port.services) {
        const key = `${service.namespace}/${service.name}:${service.port}`
        const list = serving.get(key)
        if (list) list.push({ proxy, port })
        else serving.set(key, [{ proxy, port }])
      }
    }
  }
  return ({ service, port }) => serving.get(`${service.namespace}/${service.name}:${port}`) ?? []
}

function judgeOf(
  world: MeshWorld,
  policies: readonly TrafficPolicy[],
  serving: (call: ObservedCall) => Serving,
): (call: ObservedCall) => Verdict | undefined {
  const compiled = new Map<string, readonly { readonly judge: ReturnType<typeof compileRbac>; readonly isPermission: boolean }[]>()
  return (call) => {
    let verdict: Verdict | undefined
    // all proxies of a service are alike to most policies; where they are not, one that refuses is what the caller will notice
    for (const { proxy, port } of serving(call)) {
      const key = `${proxy.name}:${port.port}`
      const judges = compiled.get(key) ?? rbacsOf(world, policies, proxy, port)
      compiled.set(key, judges)
      const peer = new Peer({
        address: call.address ?? '0.0.0.0',
        port: port.port,
        ...(call.caller === undefined ? {} : { identity: call.caller }),
      })
      for (const { judge, isPermission } of judges) {
        // permissions are for the connections of the mesh: who showed no identity came in plain text, where the mode says that they may
        if (isPermission && call.caller === undefined) continue
        const decision = judge.decide(peer, requestOf(call))
        if (decision.verdict === 'deny') return { verdict: 'deny', rule: decision.rule }
        verdict ??= { verdict: 'allow', rule: decision.rule }
      }
      verdict ??= { verdict: 'allow', rule: 'none' }
    }
    return verdict
  }
}

function rbacsOf(
  world: MeshWorld,
  policies: readonly TrafficPolicy[],
  proxy: ProxyView,
  port: ProxyView['ports'][number],
): readonly { readonly judge: ReturnType<typeof compileRbac>; readonly isPermission: boolean }[] {
  const context = { world, proxy, port: port.port, protocol: port.protocol }
  const permissions = mergeInbound(meshTrafficPermission, policiesFor(proxy, policies, 'MeshTrafficPermission'), port)
  const rules = permissions ?? [{ matches: [], conf: { deny: [], shadowDeny: [], allow: [] }, origins: [] }]
  const http = { statPrefix: '', routes: '', filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false }
  const authorization = mergeInbound(meshAuthorizationPolicy, policiesFor(proxy, policies, 'MeshAuthorizationPolicy'), port)
  const filters = authorization ? meshAuthorizationPolicy.inboundHttp!(authorization, http, context).filters : []
  const connection = meshTrafficPermission.inboundConnection!(rules, {}, context).rbac
  const of = (rbac: Rbac, isPermission: boolean): { judge: ReturnType<typeof compileRbac>; isPermission: boolean } => ({
    judge: compileRbac(rbac),
    isPermission,
  })
  return [
    ...(connection ? [of(connection, true)] : []),
    ...filters.flatMap((filter) => (filter.type === 'rbac' ? [of(filter.rbac, false)] : [])),
  ]
}

function requestOf({ method, path, host }: ObservedCall): RequestView | undefined {
  if (method === undefined && path === undefined) return undefined
  return requestView({
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(host === undefined ? {} : { authority: host }),
  })
}
