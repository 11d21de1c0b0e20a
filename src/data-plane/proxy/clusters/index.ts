/**
 * Clusters at work: who is asked, and who had better not be.
 *
 *   cluster-manager     all clusters, updated in place
 *   upstream-cluster    one: endpoints, health, connections; decides with the pure parts below
 *     host              one endpoint and what is known of it
 *     host-sets         priorities, localities and panic, as of one moment
 *       priorities      how traffic spreads over priorities
 *       balancer        round robin, least request, random, by hash; slow start
 *       tables          ring and Maglev
 *     outlier-detector  passive health; health-state, health-checker: active health
 *     circuit           limits, retry budgets
 *     dns-discovery     endpoints of host names
 */
export { Circuit } from './circuit.ts'
export { ClusterManager } from './cluster-manager.ts'
export type { ResolveHost } from './dns-discovery.ts'
export type { Probe } from './health-checker.ts'
export { isExpectedStatus } from './health-state.ts'
export type { Place } from './host-sets.ts'
export { Host, nameOf, type HostProtocol } from './host.ts'
export { UpstreamCluster, type ClusterDeps, type PickRequest } from './upstream-cluster.ts'
