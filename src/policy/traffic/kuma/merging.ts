import type {
  CallerMatch,
  MergedRules,
  MeshServiceView,
  OutboundTarget,
  PolicyPlugin,
  ProxySelector,
  ProxyView,
  TrafficPolicy,
} from '../input/index.ts'
import type { Origin } from '../model/index.ts'

/** Whether a selector means a proxy. `section` is not looked at: it says which of the proxy's ports. */
export function selectsProxy({ namespace, labels, name, kinds, service, gateway }: ProxySelector, proxy: ProxyView): boolean {
  if (namespace !== undefined && namespace !== proxy.namespace) return false
  if (name !== undefined && name !== proxy.pod && name !== proxy.name) return false
  if (kinds && !kinds.includes(proxy.kind)) return false
  if (gateway !== undefined && gateway !== proxy.gateway && gateway !== `/${proxy.gateway?.split('/')[1]}`) return false
  if (
    service &&
    !proxy.ports.some(({ services }) =>
      services.some((one) => one.name === service.name && one.namespace === service.namespace && (service.port ?? one.port) === one.port),
    )
  ) {
    return false
  }
  return Object.entries(labels ?? {}).every(([label, value]) => proxy.labels[label] === value)
}

/** The policies of one type that are for a proxy, weakest first: by rank; of equals the older is stronger, then the one whose name comes first. */
export function policiesFor(proxy: ProxyView, policies: readonly TrafficPolicy[], type: string): readonly TrafficPolicy[] {
  return policies.filter((policy) => policy.type === type && selectsProxy(policy.proxies, proxy)).sort(byStrength)
}

/** Weakest first. */
export function byStrength(a: TrafficPolicy, b: TrafficPolicy): number {
  return compareNumbers(a.rank, b.rank) || byOrigin(a.origin, b.origin)
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

// the older, then the earlier name, comes last: it is stronger
function byOrigin(a: Origin, b: Origin): number {
  const age = (b.createdAtMs ?? 0) - (a.createdAtMs ?? 0)
  return age || compareText(`${b.namespace}/${b.name}`, `${a.namespace}/${a.name}`)
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export interface Merged<Conf> {
  readonly conf: Conf
  /** Weakest first. */
  readonly origins: readonly Origin[]
}

/**
 * What holds for calls to a port of a service, and to a route of it where `route` is given. `policies`: as `policiesFor` gives them. Of one rank, a target that
 * says more (route, port, name, labels) is stronger. Undefined: no policy says anything.
 */
export function mergeOutbound<Conf>(
  plugin: PolicyPlugin<Conf>,
  policies: readonly TrafficPolicy[],
  service: Pick<MeshServiceView, 'kind' | 'namespace' | 'name' | 'labels'>,
  port: { readonly port: number; readonly name: string },
  route?: { readonly origin: Origin; readonly labels?: Readonly<Record<string, string>> },
): Merged<Conf> | undefined {
  const found = policies.flatMap((policy) =>
    (policy.to ?? []).flatMap(({ target, conf }) => {
      const exactness = targetExactness(target, service, port, route)
      return exactness === undefined ? [] : [{ rank: [...policy.rank, exactness], conf: conf as Conf, policy }]
    }),
  )
  if (found.length === 0) return undefined
  found.sort((a, b) => compareNumbers(a.rank, b.rank) || byOrigin(a.policy.origin, b.policy.origin))
  return { conf: plugin.merge(found.map(({ conf }) => conf)), origins: unique(found.map(({ policy }) => policy.origin)) }
}

function targetExactness(
  { service: wanted, route: wantedRoute }: OutboundTarget,
  service: Pick<MeshServiceView, 'kind' | 'namespace' | 'name' | 'labels'>,
  port: { readonly port: number; readonly name: string },
  route: { readonly origin: Origin; readonly labels?: Readonly<Record<string, string>> } | undefined,
): number | undefined {
  if (wantedRoute) {
    if (!route) return undefined
    const { namespace, name, labels } = wantedRoute
    if (namespace !== undefined && namespace !== route.origin.namespace) return undefined
    if (name !== undefined && name !== route.origin.name) return undefined
    return hasLabels(route.labels ?? {}, labels) ? 4 : undefined
  }
  if (!wanted) return 0
  if (wanted.kind !== undefined && wanted.kind !== service.kind) return undefined
  if (wanted.namespace !== undefined && wanted.namespace !== service.namespace) return undefined
  if (wanted.name !== undefined && wanted.name !== service.name) return undefined
  if (!hasLabels(service.labels, wanted.labels)) return undefined
  if (wanted.port === undefined) return wanted.name === undefined ? 1 : 2
  return wanted.port === String(port.port) || wanted.port === port.name ? 3 : undefined
}

const hasLabels = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>> | undefined): boolean =>
  Object.entries(wanted ?? {}).every(([label, value]) => labels[label] === value)

/**
 * What holds for calls that come in at a port, by caller, most exact callers first; the last entry is for all others. An entry's conf is made of the confs for
 * all callers, then of those for wider groups that contain its own, then of its own, each weakest first. Undefined: no policy says anything about this port.
 */
export function mergeInbound<Conf>(
  plugin: PolicyPlugin<Conf>,
  policies: readonly TrafficPolicy[],
  port: { readonly port: number; readonly name: string; readonly services?: ProxyView['ports'][number]['services'] },
): MergedRules<Conf> | undefined {
  const rules = policies
    .filter(({ proxies }) => isPort(proxies, port))
    .flatMap((policy) => (policy.rules ?? []).map(({ matches, conf }) => ({ matches, conf: conf as Conf, origin: policy.origin })))
  if (rules.length === 0) return undefined
  const callers = new Map<string, CallerMatch>()
  for (const { matches } of rules) for (const match of matches) if (exactness(match) > 0) callers.set(JSON.stringify(match), match)
  const entries = [...callers.values()].sort((a, b) => exactness(b) - exactness(a))
  const forAll = rules.filter(({ matches }) => matches.length === 0 || matches.some((match) => exactness(match) === 0))
  const entry = (match: CallerMatch | undefined): MergedRules<Conf>[number] => {
    const own = match
      ? rules
          .filter((rule) => !forAll.includes(rule))
          .flatMap((rule) => {
            const covering = rule.matches.filter((wider) => covers(wider, match)).map(exactness)
            return covering.length > 0 ? [{ rule, exactness: Math.max(...covering) }] : []
          })
          .sort((a, b) => a.exactness - b.exactness)
          .map(({ rule }) => rule)
      : []
    const all = [...forAll, ...own]
    return {
      matches: match ? [match] : [],
      conf: plugin.merge(all.map(({ conf }) => conf)),
      origins: unique(all.map(({ origin }) => origin)),
    }
  }
  return [...entries.map(entry), entry(undefined)]
}

function isPort(
  { section, service }: ProxySelector,
  port: { readonly port: number; readonly name: string; readonly services?: ProxyView['ports'][number]['services'] },
): boolean {
  if (section !== undefined && section !== String(port.port) && section !== port.name) return false
  if (!service || !port.services) return true
  return port.services.some(
    (one) => one.name === service.name && one.namespace === service.namespace && (service.port ?? one.port) === one.port,
  )
}

/** 0: everybody. More for longer prefixes, most for exact ids; a server name adds a little. */
function exactness({ spiffeId, serverName }: CallerMatch): number {
  let value = serverName ? 1 : 0
  if (spiffeId) value += 'exact' in spiffeId ? 1_000_000 : 2 + 2 * ('prefix' in spiffeId ? spiffeId.prefix.length : 1)
  return value
}

/** Whether all callers of `inner` are among those of `wider`. */
function covers(wider: CallerMatch, inner: CallerMatch): boolean {
  if (wider.serverName && JSON.stringify(wider.serverName) !== JSON.stringify(inner.serverName)) return false
  if (!wider.spiffeId) return true
  if (!inner.spiffeId) return false
  const text = 'exact' in inner.spiffeId ? inner.spiffeId.exact : 'prefix' in inner.spiffeId ? inner.spiffeId.prefix : undefined
  if (text === undefined) return JSON.stringify(wider.spiffeId) === JSON.stringify(inner.spiffeId)
  if ('prefix' in wider.spiffeId) return text.startsWith(wider.spiffeId.prefix)
  return 'exact' in wider.spiffeId && 'exact' in inner.spiffeId && wider.spiffeId.exact === text
}

/** What holds for the proxy as a whole; undefined: no policy says anything. */
export function mergeWhole<Conf>(plugin: PolicyPlugin<Conf>, policies: readonly TrafficPolicy[]): Merged<Conf> | undefined {
  const found = policies.filter(({ conf }) => conf !== undefined)
  if (found.length === 0) return undefined
  return { conf: plugin.merge(found.map(({ conf }) => conf as Conf)), origins: found.map(({ origin }) => origin) }
}

function unique(origins: readonly Origin[]): readonly Origin[] {
  return [...new Set(origins)]
}

/** Fields of later confs win, objects field by field; lists replace each other. How most kinds merge. */
export function mergeConfs<Conf>(confs: readonly Conf[]): Conf {
  return confs.reduce<unknown>((merged, conf) => mergeValues(merged, conf), {}) as Conf
}

function mergeValues(a: unknown, b: unknown): unknown {
  if (!isRecord(a) || !isRecord(b)) return b === undefined ? a : b
  const out: Record<string, unknown> = { ...a }
  for (const [key, value] of Object.entries(b)) out[key] = mergeValues(out[key], value)
  return out
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
