import type { Pod } from '../../../api/generated/types.ts'

/** What a resolv.conf says. */
export interface ResolvConf {
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  /** Such as `ndots:5`. */
  readonly options: readonly string[]
}

export interface ClusterDns {
  /** Addresses of cluster DNS as pods reach it; none: pods get the node's resolvers. */
  readonly nameservers: readonly string[]
  /** Such as `cluster.local`. */
  readonly domain: string
}

/** What resolvers read. Source: upstream core validation MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars. */
const MAX_NAMESERVERS = 3
const MAX_SEARCHES = 32
const MAX_SEARCH_CHARS = 2048
/** So that `name.namespace.svc` is looked for in the cluster first. */
const CLUSTER_OPTIONS = ['ndots:5']

/** Reads a resolv.conf as glibc does: the last `search` or `domain` counts, unknown lines do not. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = []
  const options: string[] = []
  let searches: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...values] = (line.split(/[#;]/)[0] ?? '').trim().split(/\s+/)
    if (word === 'nameserver' && values[0]) nameservers.push(values[0])
    // the root as a search domain means "as it is"
    else if (word === 'search' || word === 'domain') searches = values.map((value) => value.replace(/(?<=.)\.$/, ''))
    else if (word === 'options') options.push(...values)
  }
  return { nameservers, searches, options }
}

/**
 * The resolver configuration of a pod, by its dnsPolicy and dnsConfig. Pure. `cut` names what was left out because resolvers would not read it.
 * @param host the node's own configuration. Source: upstream kubelet network/dns
 */
export function planResolvConf(
  pod: Pod,
  cluster: ClusterDns,
  host: ResolvConf,
): { readonly conf: ResolvConf; readonly cut: readonly string[] } {
  const base = baseOf(pod, cluster, host)
  const { nameservers = [], searches = [], options = [] } = pod.spec?.dnsConfig ?? {}
  const own = options.flatMap(({ name, value }) => (name ? [value ? `${name}:${value}` : name] : []))
  const cut: string[] = []
  return {
    conf: {
      nameservers: limited(unique([...base.nameservers, ...nameservers]), cut, 'nameserver', (count) => count < MAX_NAMESERVERS),
      searches: limited(
        unique([...base.searches, ...searches]),
        cut,
        'search',
        (count, chars) => count < MAX_SEARCHES && chars <= MAX_SEARCH_CHARS,
      ),
      options: mergeOptions(base.options, own),
    },
    cut,
  }
}

/** The file's text. */
export function formatResolvConf(conf: ResolvConf): string {
  const lines = [
    ...(conf.searches.length > 0 ? [`search ${conf.searches.join(' ')}`] : []),
    ...conf.nameservers.map((address) => `nameserver ${address}`),
    ...(conf.options.length > 0 ? [`options ${conf.options.join(' ')}`] : []),
  ]
  return `${lines.join('\n')}\n`
}

function baseOf(pod: Pod, { nameservers, domain }: ClusterDns, host: ResolvConf): ResolvConf {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst'
  if (policy === 'None') return { nameservers: [], searches: [], options: [] }
  const inCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec?.hostNetwork !== true)
  if (!inCluster || nameservers.length === 0) return host
  const namespace = pod.metadata.namespace ?? 'default'
  return { nameservers, searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches], options: CLUSTER_OPTIONS }
}

const unique = (values: readonly string[]): readonly string[] => [...new Set(values)]

function limited(
  values: readonly string[],
  cut: string[],
  what: string,
  fits: (count: number, chars: number) => boolean,
): readonly string[] {
  const kept: string[] = []
  for (const value of values) {
    if (fits(kept.length, [...kept, value].join(' ').length)) kept.push(value)
    else cut.push(`${what} ${value}`)
  }
  return kept
}

/** An option of the pod replaces one of the same name. */
function mergeOptions(base: readonly string[], own: readonly string[]): readonly string[] {
  const merged = new Map<string, string>()
  for (const option of [...base, ...own]) merged.set(option.split(':')[0] ?? '', option)
  return [...merged.values()]
}

/**
 * The text of the resolver configuration that names real servers. Where the usual file leads to a stub on a loopback address, which pods cannot reach and
 * which would ask us again, it is the one that systemd-resolved keeps beside it. Source: kubeadm, kubelet --resolv-conf.
 * @param read gives undefined for a file that is not there
 */
export function nodeResolvConf(read: (path: string) => string | undefined, path: string = '/etc/resolv.conf'): string {
  const text = read(path) ?? ''
  const { nameservers } = parseResolvConf(text)
  const isStub = nameservers.length > 0 && nameservers.every((address) => address.startsWith('127.') || address === '::1')
  return (isStub ? read('/run/systemd/resolve/resolv.conf') : undefined) ?? text
}
