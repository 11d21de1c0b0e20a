import type { Cluster, ClusterLoadAssignment } from '../../../policy/traffic/model/index.ts'
import type { MetricTable } from '../telemetry/metric-table.ts'
import { clusterStats } from '../telemetry/stats.ts'
import { UpstreamCluster, type ClusterDeps } from './upstream-cluster.ts'

/** Milliseconds. */
const RELEASE_AGAIN = 30_000

/** All clusters of a proxy. Updates are taken in place; order does not matter: endpoints may come before or after the cluster that asks for them. */
export class ClusterManager {
  readonly #deps: ClusterDeps
  readonly #metrics: MetricTable
  readonly #clusters = new Map<string, UpstreamCluster>()
  readonly #assignments = new Map<string, ClusterLoadAssignment>()

  constructor(deps: ClusterDeps, metrics: MetricTable) {
    this.#deps = deps
    this.#metrics = metrics
  }

  get(name: string): UpstreamCluster | undefined {
    return this.#clusters.get(name)
  }

  get clusters(): ReadonlyMap<string, UpstreamCluster> {
    return this.#clusters
  }

  setCluster(config: Cluster): void {
    const known = this.#clusters.get(config.name)
    const before = known?.config
    if (known) known.configure(config)
    else
      this.#clusters.set(config.name, new UpstreamCluster(config, this.#deps, clusterStats(this.#metrics, config.statName ?? config.name)))
    const { discovery } = config
    if (discovery.type !== 'eds' || (before?.discovery.type === 'eds' && before.discovery.name === discovery.name)) return
    const assignment = this.#assignments.get(discovery.name)
    if (assignment) this.#clusters.get(config.name)?.setEndpoints(assignment.endpoints)
  }

  removeCluster(name: string): void {
    const cluster = this.#clusters.get(name)
    if (!cluster) return
    this.#clusters.delete(name)
    cluster.close()
    this.#release(cluster)
  }

  /** Gives the series of a cluster back that is gone, once its last connection is: those still count. */
  #release(cluster: UpstreamCluster): void {
    const { connections, requests, pending, retries } = cluster.circuit
    if (connections + requests + pending + retries > 0) {
      this.#deps.clock.after(RELEASE_AGAIN, () => this.#release(cluster))
      return
    }
    const nameOf = ({ config }: UpstreamCluster): string => config.statName ?? config.name
    const isUsed = [...this.#clusters.values()].some((other) => nameOf(other) === nameOf(cluster))
    if (!isUsed) this.#metrics.release('envoy_cluster_name', nameOf(cluster))
  }

  setAssignment(assignment: ClusterLoadAssignment): void {
    this.#assignments.set(assignment.name, assignment)
    this.#each(assignment.name, (cluster) => cluster.setEndpoints(assignment.endpoints))
  }

  /** A cluster whose endpoints are gone has none. */
  removeAssignment(name: string): void {
    if (this.#assignments.delete(name)) this.#each(name, (cluster) => cluster.setEndpoints([]))
  }

  close(): void {
    for (const cluster of this.#clusters.values()) cluster.close()
    this.#clusters.clear()
  }

  #each(name: string, visit: (cluster: UpstreamCluster) => void): void {
    for (const cluster of this.#clusters.values()) {
      const { discovery } = cluster.config
      if (discovery.type === 'eds' && discovery.name === name) visit(cluster)
    }
  }
}
