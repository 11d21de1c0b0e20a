import { formatIp, parseIp } from '../../../base/ip.ts'
import { isWithin, lowerName, parseName, type WireName } from '../wire/name.ts'

/** A DNS server that others are asked of. */
export interface Upstream {
  readonly host: string
  readonly port: number
}

export interface StubZone {
  /** In lower case. */
  readonly zone: WireName
  readonly upstreams: readonly Upstream[]
}

/** Whom to ask what. */
export interface ForwardingPlan {
  /** The one with the longest zone first. */
  readonly stubs: readonly StubZone[]
  readonly upstreams: readonly Upstream[]
}

/** In the words of the kube-dns ConfigMap: addresses may have a port. */
export interface ForwardingConfig {
  readonly stubDomains?: Readonly<Record<string, readonly string[]>>
  readonly upstreamNameservers?: readonly string[]
}

const PORT = 53
const MAX_UPSTREAMS = 15
const MAX_STUBS = 200

/**
 * Who is asked. What was given explicitly wins over the node's own resolvers. Pure. Addresses of this very server are left out: a question would go
 * round for ever. `problems` says what was left out and why.
 */
export function planForwarding(sources: {
  /** Flags first, then the ConfigMap: of the second, only what the first does not have is used. */
  readonly configs: readonly ForwardingConfig[]
  /** Of the node's resolv.conf. */
  readonly nodeNameservers: readonly string[]
  /** Where this server listens. */
  readonly own: readonly Upstream[]
}): { readonly plan: ForwardingPlan; readonly problems: readonly string[] } {
  const problems: string[] = []
  const isOwn = (upstream: Upstream): boolean => sources.own.some((each) => each.host === upstream.host && each.port === upstream.port)
  const read = (texts: readonly string[], what: string): readonly Upstream[] => {
    const found = texts.flatMap((text) => {
      const upstream = parseUpstream(text)
      if (!upstream) problems.push(`${what}: "${text}" is no address: write IP, IP:PORT or [IPv6]:PORT`)
      else if (isOwn(upstream)) problems.push(`${what}: ${text} is this server itself, which would ask itself for ever`)
      else return [upstream]
      return []
    })
    if (found.length > MAX_UPSTREAMS) problems.push(`${what}: only the first ${MAX_UPSTREAMS} servers are used`)
    return found.slice(0, MAX_UPSTREAMS)
  }
  const stubs = new Map<WireName, StubZone>()
  for (const { stubDomains = {} } of sources.configs) {
    for (const [domain, servers] of Object.entries(stubDomains)) {
      const parsed = parseName(domain)
      const zone = parsed === undefined ? undefined : lowerName(parsed)
      if (zone === undefined || zone === '\0') problems.push(`stub domain "${domain}" is no domain name`)
      else if (stubs.size >= MAX_STUBS) problems.push(`stub domain "${domain}": there are ${MAX_STUBS} already`)
      else if (!stubs.has(zone)) stubs.set(zone, { zone, upstreams: read(servers, `stub domain ${domain}`) })
    }
  }
  const given = sources.configs.find((config) => (config.upstreamNameservers ?? []).length > 0)?.upstreamNameservers
  const upstreams = given ? read(given, 'upstream nameservers') : read(sources.nodeNameservers, "the node's resolv.conf")
  if (upstreams.length === 0) problems.push('nobody to ask for names outside of the cluster: set upstream nameservers')
  return { plan: { stubs: [...stubs.values()].sort((a, b) => b.zone.length - a.zone.length), upstreams }, problems }
}

/** `IP`, `IP:PORT` or `[IPv6]:PORT`. */
export function parseUpstream(text: string): Upstream | undefined {
  const match = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? /^([\d.]+)(?::(\d{1,5}))?$/.exec(text) ?? /^([\da-fA-F:.]+)$/.exec(text)
  const address = parseIp(match?.[1] ?? '')
  const port = Number(match?.[2] ?? PORT)
  return address && port > 0 && port <= 65_535 ? { host: formatIp(address), port } : undefined
}

/** Who is asked for a name (lower case). */
export function upstreamsFor(name: WireName, plan: ForwardingPlan): readonly Upstream[] {
  return plan.stubs.find(({ zone }) => isWithin(name, zone))?.upstreams ?? plan.upstreams
}

/** Reads the data of a ConfigMap: JSON in `stubDomains` and `upstreamNameservers`, as kube-dns had it. @throws Error naming the key */
export function parseForwardingConfig(data: Readonly<Record<string, string>>): ForwardingConfig {
  const read = (key: string): unknown => {
    const text = data[key]
    if (text === undefined || text.trim() === '') return undefined
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new Error(`${key} is no JSON`, { cause: error })
    }
  }
  const isList = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((each) => typeof each === 'string')
  const stubDomains = read('stubDomains')
  const upstreamNameservers = read('upstreamNameservers')
  const isMap = typeof stubDomains === 'object' && stubDomains !== null && Object.values(stubDomains).every(isList)
  if (stubDomains !== undefined && !isMap) throw new Error('stubDomains must be a map from domains to lists of addresses')
  if (upstreamNameservers !== undefined && !isList(upstreamNameservers)) throw new Error('upstreamNameservers must be a list of addresses')
  return {
    ...(isMap ? { stubDomains: stubDomains as unknown as Readonly<Record<string, readonly string[]>> } : {}),
    ...(upstreamNameservers === undefined ? {} : { upstreamNameservers }),
  }
}
