import { messageOf } from '../../../base/errors.ts'
import type { Finding, MeshWorld, PolicyPlugin, TrafficPolicy, TrafficRoute } from '../input/index.ts'
import { originName, type Origin } from '../model/index.ts'

export interface CompilerOptions {
  /** `originName` of policies and routes that a proxy has refused: they are not carried out until somebody has mended them. Default: none. */
  readonly quarantined?: ReadonlySet<string>
}

/**
 * A world without what cannot be carried out. A policy that no proxy could execute, or that one has refused, is left out; where leaving it out would open
 * something (`PolicyPlugin.closed`), what it targets is closed instead. A route keeps its place without any of its rules: what would have matched it is not
 * sent to where other routes or the service itself would take it, unless its kind says so (`unmatched`). The same world where there is nothing of that sort.
 */
export function safeWorld(
  world: MeshWorld,
  plugins: ReadonlyMap<string, PolicyPlugin<any>>,
  { quarantined = new Set() }: CompilerOptions,
): { readonly world: MeshWorld; readonly findings: readonly (Finding & { readonly policy?: TrafficPolicy })[] } {
  const findings: (Finding & { policy?: TrafficPolicy })[] = []
  const isRefused = ({ origin }: { readonly origin: Origin }): boolean => quarantined.size > 0 && quarantined.has(originName(origin))
  const policies: TrafficPolicy[] = []
  let isChanged = false
  for (const policy of world.policies) {
    const plugin = plugins.get(policy.type)
    const problem = plugin && problemOf(plugin, policy)
    if (!plugin || (problem === undefined && !isRefused(policy))) {
      policies.push(policy)
      continue
    }
    isChanged = true
    const instead = closedPolicy(plugin, policy)
    if (instead) policies.push(instead)
    // what could not be read has been told by whoever tried
    if (policy.broken === undefined) findings.push({ ...findingOf(plugin, policy.origin, problem), policy })
  }
  const routes = world.routes.map((route): TrafficRoute => {
    if (!isRefused(route)) return route
    isChanged = true
    const message = 'a proxy has refused what it makes of this route: none of its rules is in force'
    findings.push({ origin: route.origin, type: 'Invalid', reason: 'Quarantined', message })
    return { ...route, rules: [] }
  })
  return isChanged ? { world: { ...world, policies, routes }, findings } : { world, findings }
}

function findingOf(plugin: PolicyPlugin<any>, origin: Origin, problem: string | undefined): Finding {
  const effect = plugin.closed ? 'it is not in force, and what it targets is closed' : 'it is left out'
  return problem === undefined
    ? { origin, type: 'Invalid', reason: 'Quarantined', message: `a proxy has refused what it makes of this policy: ${effect}` }
    : { origin, type: 'Invalid', reason: 'NotCompiled', message: `cannot be carried out: ${problem}; ${effect}` }
}

// confs are the same values for as long as their objects stay the same
const checked = new WeakMap<object, string | false>()

/** Why no proxy could execute a policy. */
function problemOf(plugin: PolicyPlugin<any>, policy: TrafficPolicy): string | undefined {
  if (policy.broken !== undefined) return policy.broken
  const confs = [...(policy.to ?? []), ...(policy.rules ?? []), ...(policy.conf === undefined ? [] : [policy])].map(({ conf }) => conf)
  for (const conf of confs) {
    const isObject = typeof conf === 'object' && conf !== null
    const known = isObject ? checked.get(conf) : undefined
    const problem = known ?? problemOfConf(plugin, conf)
    if (isObject) checked.set(conf, problem)
    if (problem !== false) return problem
  }
  return undefined
}

function problemOfConf(plugin: PolicyPlugin<any>, conf: unknown): string | false {
  try {
    const merged: unknown = plugin.merge([conf])
    plugin.check?.(merged)
    return false
  } catch (error) {
    return messageOf(error)
  }
}

/** What stands for a policy that cannot be carried out; undefined: nothing has to. */
export function closedPolicy(plugin: PolicyPlugin<any>, policy: TrafficPolicy): TrafficPolicy | undefined {
  if (!plugin.closed) return undefined
  const closed = plugin.closed.bind(plugin)
  const { origin, rules = [], conf } = policy
  const name = originName(origin)
  const kept = policy.broken === undefined && rules.length > 0 ? rules : [{ matches: [], conf: undefined }]
  return {
    type: policy.type,
    origin,
    proxies: policy.proxies,
    rank: policy.rank,
    ...(rules.length > 0 || conf === undefined
      ? {
          rules: kept.map(({ matches, conf: said }): NonNullable<TrafficPolicy['rules']>[number] => ({
            matches,
            conf: closed(name, said),
          })),
        }
      : {}),
    ...(conf !== undefined || rules.length === 0 ? { conf: closed(name, conf) } : {}),
  }
}
