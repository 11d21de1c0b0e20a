import type { Random } from '../../../base/backoff.ts'
import { compileWeighted } from '../../../policy/traffic/evaluate/index.ts'
import type { Cluster, Endpoint } from '../../../policy/traffic/model/index.ts'
import { makeBalancer, type Balancer } from './balancer.ts'
import type { Host } from './host.ts'
import { priorityLoads } from './priorities.ts'

/** Where this proxy runs: labels, and the zone and node under the names that endpoints use. */
export interface Place {
  readonly zone?: string
  readonly node?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** How the endpoints of a cluster are chosen from, as of one moment: priorities, then localities, then the balancer. */
export interface HostSets {
  choose(hash: number | undefined, nowMs: number, step: number): { readonly host: Host | undefined; readonly panic: boolean }
  readonly healthy: number
  readonly total: number
}

const NOBODY = { host: undefined, panic: false } as const

/**
 * @param place for locality: endpoints that have the same label as this proxy get the weight of the first such label of `affinity`, the others the weight 1;
 *   groups without usable endpoints get nothing
 */
export function makeHostSets(cluster: Cluster, hosts: readonly Host[], place: Place, random: Random): HostSets {
  const byPriority = new Map<number, Host[]>()
  for (const host of hosts) {
    const priority = host.endpoint.priority ?? 0
    byPriority.set(priority, [...(byPriority.get(priority) ?? []), host])
  }
  const priorities = [...byPriority].sort(([a], [b]) => a - b).map(([, members]) => members.filter(({ present }) => present))
  const counts = priorities.map((members) => ({ healthy: members.filter(({ usable }) => usable).length, total: members.length }))
  const { failoverPercent } = cluster.loadBalancer.locality ?? {}
  const overprovisioning = failoverPercent ? 10_000 / failoverPercent : 140
  const { loads, panic } = priorityLoads(counts, overprovisioning, cluster.healthyPanicPercent ?? 50)
  const failsOnPanic = cluster.healthChecks.some(({ failTrafficOnPanic }) => failTrafficOnPanic)
  const levels = priorities.map((members, i) => {
    const inPanic = panic[i] === true
    if (inPanic && failsOnPanic) return { inPanic, balancer: undefined }
    const candidates = inPanic ? members : members.filter(({ usable }) => usable)
    return { inPanic, balancer: candidates.length > 0 ? makeLocalityBalancer(cluster, candidates, place, random) : undefined }
  })
  const total = counts.reduce((sum, count) => sum + count.total, 0)
  const healthy = counts.reduce((sum, count) => sum + count.healthy, 0)
  const entries = levels.flatMap((level, i) => (loads[i] ? [{ value: level, weight: loads[i] as number }] : []))
  if (entries.length === 0) return { choose: () => NOBODY, healthy, total }
  const level = compileWeighted(entries)
  const one = entries.length === 1
  return {
    healthy,
    total,
    choose(hash, nowMs, step) {
      // a hash must find the same priority again
      const { balancer, inPanic } = level(one ? 0 : hash === undefined ? random() : hash / 0x1_0000_0000)
      return { host: balancer?.pick(hash, nowMs, step), panic: inPanic }
    },
  }
}

function makeLocalityBalancer(cluster: Cluster, hosts: readonly Host[], place: Place, random: Random): Balancer {
  const affinity = cluster.loadBalancer.locality?.affinity ?? []
  const groups = affinity.map(({ weight }) => ({ weight, hosts: [] as Host[] }))
  const rest = { weight: 1, hosts: [] as Host[] }
  for (const host of hosts) {
    const near = affinity.findIndex(({ key }) => isNear(key, host.endpoint, place))
    ;(groups[near] ?? rest).hosts.push(host)
  }
  const entries = [...groups, rest].filter((group) => group.hosts.length > 0 && group.weight > 0)
  if (entries.length <= 1) return makeBalancer(cluster.loadBalancer, entries[0]?.hosts ?? hosts, random)
  const group = compileWeighted(
    entries.map(({ weight, hosts: members }) => ({ weight, value: makeBalancer(cluster.loadBalancer, members, random) })),
  )
  return { pick: (hash, nowMs, step) => group(hash === undefined ? random() : hash / 0x1_0000_0000).pick(hash, nowMs, step) }
}

function isNear(key: string, endpoint: Endpoint, place: Place): boolean {
  const labels = (where: Place | Endpoint): string | undefined => {
    if (key === 'zone' || key === 'topology.kubernetes.io/zone') return where.zone ?? where.labels?.[key]
    if (key === 'node' || key === 'kubernetes.io/hostname') return where.node ?? where.labels?.[key]
    return where.labels?.[key]
  }
  const here = labels(place)
  return here !== undefined && here === labels(endpoint)
}
