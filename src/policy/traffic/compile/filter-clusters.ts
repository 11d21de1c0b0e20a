import type { HttpFilter, Origin } from '../model/index.ts'
import type { ClusterMaker } from './clusters.ts'
import { serviceOrigin, type Collector, type CompiledResource } from './compiled.ts'
import { portOfCluster } from './names.ts'

/** Makes the clusters that filters ask through: authorities of requests, key sets. They are named by `clusterName`. */
export function addFilterClusters(out: Collector, clusters: ClusterMaker): void {
  for (const { name, origins } of out.resources.flatMap(named)) {
    if (out.has('cluster', name) || clusters.byName(name)) continue
    const port = portOfCluster(name)
    const message = `there is no service port ${name}, which filters are to ask: what they judge is answered as if it had failed`
    const blamed = origins.length > 0 ? origins : port ? [serviceOrigin({ kind: 'Service', ...port })] : []
    for (const origin of blamed) out.findings.push({ origin, type: 'Invalid', reason: 'BackendNotFound', message })
  }
}

function named({ type, value, origins }: CompiledResource): readonly { readonly name: string; readonly origins: readonly Origin[] }[] {
  const filters =
    type === 'listener'
      ? value.chains.flatMap(({ http }) => http?.filters ?? [])
      : type === 'route'
        ? value.virtualHosts.flatMap(({ routes }) => routes.flatMap((route) => route.filters ?? []))
        : []
  return filters.flatMap(clustersOf).map((name) => ({ name, origins }))
}

function clustersOf(filter: HttpFilter): readonly string[] {
  if (filter.type === 'extAuthz') return [filter.cluster]
  return filter.type === 'jwt' ? filter.providers.flatMap(({ remoteJwks }) => (remoteJwks ? [remoteJwks.cluster] : [])) : []
}
