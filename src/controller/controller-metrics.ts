import type { Metrics } from '../base/metrics.ts'

export type ReconcileResult = 'success' | 'requeue_after' | 'error' | 'terminal'

/** What a controller reports of itself. */
export interface ControllerMetrics {
  concurrency(workers: number): void
  /** A reconcile begins. @returns to be called at its end, with its duration in seconds */
  started(): (result: ReconcileResult, seconds: number) => void
}

/** Seconds. Source: controller-runtime pkg/internal/controller/metrics. */
const BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5,
  5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
]

/** The `controller_runtime_*` metrics for the controller `name`. */
export function createControllerMetrics(metrics: Metrics, name: string): ControllerMetrics {
  const labels = ['controller']
  const total = metrics.counter('controller_runtime_reconcile_total', 'Total number of reconciliations per controller', [
    'controller',
    'result',
  ])
  const errors = metrics.counter('controller_runtime_reconcile_errors_total', 'Total number of reconciliation errors', labels).with(name)
  const terminal = metrics
    .counter('controller_runtime_terminal_reconcile_errors_total', 'Total number of terminal reconciliation errors', labels)
    .with(name)
  const time = metrics
    .histogram('controller_runtime_reconcile_time_seconds', 'Length of time per reconciliation per controller', labels, BUCKETS)
    .with(name)
  const most = metrics
    .gauge('controller_runtime_max_concurrent_reconciles', 'Maximum number of concurrent reconciles per controller', labels)
    .with(name)
  const active = metrics.gauge('controller_runtime_active_workers', 'Number of currently used workers per controller', labels).with(name)
  return {
    concurrency: (workers) => most.set(workers),
    started() {
      active.add(1)
      return (result, seconds) => {
        active.add(-1)
        time.observe(seconds)
        if (result === 'error' || result === 'terminal') errors.inc()
        if (result === 'terminal') terminal.inc()
        total.with(name, result === 'terminal' ? 'error' : result).inc()
      }
    },
  }
}
