import type { Counter, Gauge, Histogram, Metrics } from '../../../base/metrics.ts'

const SYNC_BUCKETS = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384]
const PROGRAMMING_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10, 20, 30, 45, 60, 120, 180, 240, 300]

/** The series of the kernel service proxy: kube-proxy's names where it has one. */
export class ProxyMetrics {
  readonly sync: Histogram
  readonly partialSync: Histogram
  readonly fullSync: Histogram
  readonly programming: Histogram
  readonly lastSync: Gauge
  readonly lastQueued: Gauge
  readonly serviceChanges: Counter
  readonly endpointChanges: Counter
  readonly failures: Counter
  readonly noLocalInternal: Gauge
  readonly noLocalExternal: Gauge
  readonly revision: Gauge
  readonly frontends: Gauge
  readonly conflicts: Gauge
  readonly repairs: Counter
  readonly staleFlows: Counter
  readonly #foreign: { with(...values: string[]): Counter }

  constructor(metrics: Metrics) {
    const noLocal = metrics.gauge(
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      'Number of services with a Local traffic policy and no endpoints',
      ['traffic_policy'],
    )
    this.sync = metrics.histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds').with()
    this.partialSync = metrics
      .histogram('kubeproxy_sync_partial_proxy_rules_duration_seconds', 'Latency of incremental syncs in seconds', [], SYNC_BUCKETS)
      .with()
    this.fullSync = metrics
      .histogram('kubeproxy_sync_full_proxy_rules_duration_seconds', 'Latency of full replacements in seconds', [], SYNC_BUCKETS)
      .with()
    this.programming = metrics
      .histogram(
        'kubeproxy_network_programming_duration_seconds',
        'In-cluster network programming latency in seconds',
        [],
        PROGRAMMING_BUCKETS,
      )
      .with()
    this.lastSync = metrics.gauge('kubeproxy_sync_proxy_rules_last_timestamp_seconds', 'The last time proxy rules were synced').with()
    this.lastQueued = metrics
      .gauge('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', 'The last time a sync of proxy rules was queued')
      .with()
    this.serviceChanges = metrics.counter('kubeproxy_sync_proxy_rules_service_changes_total', 'Changes of services seen').with()
    this.endpointChanges = metrics.counter('kubeproxy_sync_proxy_rules_endpoint_changes_total', 'Changes of endpoint slices seen').with()
    this.failures = metrics.counter('kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 'Transactions that nf_tables refused').with()
    this.noLocalInternal = noLocal.with('internal')
    this.noLocalExternal = noLocal.with('external')
    this.revision = metrics.gauge('biplane_service_proxy_applied_revision', 'Revision of the store that the kernel carries out').with()
    this.frontends = metrics.gauge('biplane_service_proxy_frontends', 'Addresses with port and protocol that are served').with()
    this.conflicts = metrics.gauge('biplane_service_proxy_conflicts', 'Addresses and ports that two services claim').with()
    this.#foreign = metrics.counter('biplane_service_proxy_foreign_changes_total', 'Changes of our tables by others', ['process'])
    this.repairs = metrics.counter('biplane_service_proxy_repairs_total', 'Tables made anew after a change by others').with()
    this.staleFlows = metrics.counter('biplane_service_proxy_stale_flows_total', 'UDP connections of conntrack that were forgotten').with()
  }

  foreignChange(process: string): void {
    this.#foreign.with(process || 'unknown').inc()
  }
}
