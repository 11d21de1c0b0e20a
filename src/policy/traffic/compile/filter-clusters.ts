import { originName, type HttpFilter, type Origin } from '../model/index.ts'
import type { ClusterMaker } from './clusters.ts'
import { serviceOrigin, type Collector, type CompiledResource } from './compiled.ts'
import { portOfCluster } from './names.ts'

/** Makes the clusters that filters ask through: authorities of requests, key sets. They are named by `clusterName`. */
export function addFilterClusters(out: Collector, clusters: ClusterMaker): void {
  const told = new Set<string>()
  for (const { cluster, filter, origins } of out.resources.flatMap(named)) {
    if (out.has('cluster', cluster) || clusters.byName(cluster)) continue
    const port = portOfCluster(cluster)
    const own = origins.filter((origin) => originName(origin) === filter)
    const blamed = own.length > 0 ? own : origins.length > 0 ? origins : port ? [serviceOrigin({ kind: 'Service', ...port })] : []
    const message = `there is no service port ${cluster}, which ${filter} is to ask: what it judges is answered as if asking had failed`
    if (told.has(message)) continue
    told.add(message)
    for (const origin of blamed) out.findings.push({ origin, type: 'Invalid', reason: 'BackendNotFound', message })
  }
}

interface Asked {
  readonly cluster: string
  /** Name of the filter: that of a policy, mostly. */
  readonly filter: string
  readonly origins: readonly Origin[]
}

function named({ type, value, origins }: CompiledResource): readonly Asked[] {
  const filters =
    type === 'listener'
      ? value.chains.flatMap(({ http }) => http?.filters ?? [])
      : type === 'route'
        ? value.virtualHosts.flatMap(({ routes }) => routes.flatMap((route) => route.filters ?? []))
        : []
  return filters.flatMap((filter) => clustersOf(filter).map((cluster) => ({ cluster, filter: filter.name, origins })))
}

function clustersOf(filter: HttpFilter): readonly string[] {
  if (filter.type === 'extAuthz') return [filter.cluster]
  return filter.type === 'jwt' ? filter.providers.flatMap(({ remoteJwks }) => (remoteJwks ? [remoteJwks.cluster] : [])) : []
}
