/** Which endpoint is taken. What is hashed stands at the routes, how at the cluster. There is one zone: failover between zones has no effect. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HashPolicy, LoadBalancer } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

interface Hash {
  readonly type: string
  readonly terminal?: boolean
  readonly header?: { readonly name: string }
  readonly cookie?: { readonly name: string; readonly ttl?: number; readonly path?: string }
  readonly queryParameter?: { readonly name: string }
}

/** Milliseconds. */
export interface LoadBalancingConf {
  readonly hashPolicies?: readonly Hash[]
  readonly loadBalancer?: {
    readonly type: 'RoundRobin' | 'LeastRequest' | 'RingHash' | 'Random' | 'Maglev'
    readonly leastRequest?: { readonly choiceCount?: number; readonly activeRequestBias?: number | string }
    readonly ringHash?: {
      readonly hashFunction?: 'XXHash' | 'MurmurHash2'
      readonly minRingSize?: number
      readonly maxRingSize?: number
      readonly hashPolicies?: readonly Hash[]
    }
    readonly maglev?: { readonly tableSize?: number; readonly hashPolicies?: readonly Hash[] }
  }
  readonly localityAwareness?: {
    readonly disabled?: boolean
    readonly localZone?: { readonly affinityTags?: readonly { readonly key: string; readonly weight?: number }[] }
    readonly crossZone?: { readonly failoverThreshold?: { readonly percentage?: number } }
  }
}

export const meshLoadBalancingStrategy: PolicyPlugin<LoadBalancingConf> = {
  type: 'MeshLoadBalancingStrategy',
  merge: mergeConfs,
  cluster(conf, cluster) {
    const locality = localityOf(conf)
    const balancer = balancerOf(conf) ?? cluster.loadBalancer
    const { locality: _, ...withoutLocality } = {
      ...balancer,
      ...(cluster.loadBalancer.slowStartMs === undefined ? {} : { slowStartMs: cluster.loadBalancer.slowStartMs }),
    }
    return { ...cluster, loadBalancer: { ...withoutLocality, ...(locality ? { locality } : {}) } }
  },
  route(conf, route) {
    const said = conf.hashPolicies ?? conf.loadBalancer?.ringHash?.hashPolicies ?? conf.loadBalancer?.maglev?.hashPolicies ?? []
    const hash = said.flatMap(hashOf)
    return route.action.type === 'forward' && hash.length > 0 ? { ...route, action: { ...route.action, hash } } : route
  },
}

function balancerOf({ loadBalancer: conf }: LoadBalancingConf): LoadBalancer | undefined {
  switch (conf?.type) {
    case 'RoundRobin':
      return { type: 'roundRobin' }
    case 'Random':
      return { type: 'random' }
    case 'LeastRequest': {
      const bias = conf.leastRequest?.activeRequestBias
      return {
        type: 'leastRequest',
        choices: conf.leastRequest?.choiceCount ?? 2,
        ...(bias === undefined ? {} : { activeRequestBias: Number(bias) }),
      }
    }
    case 'RingHash': {
      const { minRingSize: minSize = 1024, maxRingSize: maxSize = 8_000_000, hashFunction } = conf.ringHash ?? {}
      return { type: 'ringHash', minSize, maxSize: Math.max(minSize, maxSize), hash: hashFunction === 'MurmurHash2' ? 'murmur2' : 'xxhash' }
    }
    case 'Maglev':
      return { type: 'maglev', tableSize: conf.maglev?.tableSize ?? 65_537 }
    default:
      return undefined
  }
}

function localityOf({ localityAwareness: conf }: LoadBalancingConf): LoadBalancer['locality'] {
  if (conf?.disabled === true || !conf?.localZone?.affinityTags?.length) return undefined
  const tags = conf.localZone.affinityTags
  // Kuma's weights where none are given: nine tenths of what is left go to each
  const affinity = tags.map(({ key, weight }, i) => ({ key, weight: weight ?? 9 * 10 ** (tags.length - 1 - i) }))
  const failover = conf.crossZone?.failoverThreshold?.percentage
  return { affinity, ...(failover === undefined ? {} : { failoverPercent: failover }) }
}

function hashOf({ type, terminal, header, cookie, queryParameter }: Hash): readonly HashPolicy[] {
  const end = terminal === undefined ? {} : { terminal }
  if (type === 'Header' && header) return [{ ...end, type: 'header', name: header.name.toLowerCase() }]
  if (type === 'QueryParameter' && queryParameter) return [{ ...end, type: 'query', name: queryParameter.name }]
  if (type === 'Connection' || type === 'SourceIP') return [{ ...end, type: 'sourceIp' }]
  if (type !== 'Cookie' || !cookie) return []
  return [
    {
      ...end,
      type: 'cookie',
      name: cookie.name,
      ...(cookie.ttl === undefined ? {} : { ttlMs: cookie.ttl }),
      ...(cookie.path === undefined ? {} : { path: cookie.path }),
    },
  ]
}
