import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'

/** What a work queue reports of itself. */
export interface WorkQueueMetrics {
  depth(length: number): void
  added(item: string): void
  retried(): void
  started(item: string): void
  finished(item: string): void
}

/** Seconds, 10 ns to 1000 s. Source: k8s.io/component-base/metrics/prometheus/workqueue. */
const BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]

/** The `workqueue_*` metrics of upstream for the queue `name`. */
export function createWorkQueueMetrics(metrics: Metrics, name: string, clock: Clock): WorkQueueMetrics {
  const labels = ['name']
  const depth = metrics.gauge('workqueue_depth', 'Current depth of workqueue', labels).with(name)
  const adds = metrics.counter('workqueue_adds_total', 'Total number of adds handled by workqueue', labels).with(name)
  const retries = metrics.counter('workqueue_retries_total', 'Total number of retries handled by workqueue', labels).with(name)
  const waited = metrics
    .histogram('workqueue_queue_duration_seconds', 'How long in seconds an item stays in workqueue before being requested', labels, BUCKETS)
    .with(name)
  const worked = metrics
    .histogram('workqueue_work_duration_seconds', 'How long in seconds processing an item from workqueue takes.', labels, BUCKETS)
    .with(name)
  const unfinished = metrics
    .gauge('workqueue_unfinished_work_seconds', 'Seconds of work in progress that work_duration has not observed yet', labels)
    .with(name)
  const longest = metrics
    .gauge('workqueue_longest_running_processor_seconds', 'Seconds the longest running processor has been running', labels)
    .with(name)
  const addedAt = new Map<string, number>()
  const startedAt = new Map<string, number>()
  metrics.onRender(() => {
    const running = [...startedAt.values()].map((at) => (clock.monotonic() - at) / 1000)
    unfinished.set(running.reduce((sum, seconds) => sum + seconds, 0))
    longest.set(running.reduce((most, seconds) => Math.max(most, seconds), 0))
  })
  return {
    depth: (length) => depth.set(length),
    added(item) {
      adds.inc()
      if (!addedAt.has(item)) addedAt.set(item, clock.monotonic())
    },
    retried: () => retries.inc(),
    started(item) {
      const now = clock.monotonic()
      waited.observe((now - (addedAt.get(item) ?? now)) / 1000)
      addedAt.delete(item)
      startedAt.set(item, now)
    },
    finished(item) {
      const now = clock.monotonic()
      worked.observe((now - (startedAt.get(item) ?? now)) / 1000)
      startedAt.delete(item)
    },
  }
}
