import type { Counter, Histogram, Metrics } from '../../base/metrics.ts'

/** What the gauges read when the metrics are rendered. */
export interface StoreGauges {
  readonly revision: number
  readonly compactRevision: number
  readonly keys: number
  readonly watchers: number
  readonly sizeBytes: number
  readonly leases: number
}

export interface StoreMetrics {
  readonly puts: Counter
  readonly deletes: Counter
  readonly txns: Counter
  readonly slowWatchers: Counter
  readonly commitSeconds: Histogram
}

/** Exponential from 1 ms to 8 s, as etcd has it. */
const COMMIT_BUCKETS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192]

/** Metrics under etcd's names, so that stock dashboards of a Kubernetes control plane show the store. */
export function storeMetrics(metrics: Metrics, read: () => StoreGauges): StoreMetrics {
  const gauge = (name: string, help: string) => metrics.gauge(name, help).with()
  const revision = gauge('etcd_debugging_mvcc_current_revision', 'The current revision of store.')
  const compactRevision = gauge('etcd_debugging_mvcc_compact_revision', 'The revision of the last compaction in store.')
  const keys = gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.')
  const watchers = gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.')
  const size = gauge('etcd_mvcc_db_total_size_in_bytes', 'Total size of the underlying database physically allocated in bytes.')
  const leases = gauge('biplane_store_leases', 'Leases that have not expired.')
  metrics.onRender(() => {
    const now = read()
    revision.set(now.revision)
    compactRevision.set(now.compactRevision)
    keys.set(now.keys)
    watchers.set(now.watchers)
    size.set(now.sizeBytes)
    leases.set(now.leases)
  })
  const counter = (name: string, help: string) => metrics.counter(name, help).with()
  return {
    puts: counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.'),
    deletes: counter('etcd_mvcc_delete_total', 'Total number of deletes seen by this member.'),
    txns: counter('etcd_mvcc_txn_total', 'Total number of txns seen by this member.'),
    slowWatchers: counter('biplane_store_slow_watchers_total', 'Watches ended because their reader was too slow.'),
    commitSeconds: metrics
      .histogram('etcd_disk_backend_commit_duration_seconds', 'The latency distributions of commit called by backend.', [], COMMIT_BUCKETS)
      .with(),
  }
}
