import type { Clock } from '../../../base/clock.ts'
import type { Counter, Gauge, Histogram, Metrics } from '../../../base/metrics.ts'
import type { RequestInfo } from '../contract.ts'

/** Source: k8s.io/apiserver endpoints/metrics. */
const BUCKETS = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const ABOUT = ['group', 'version', 'resource', 'subresource', 'scope', 'component'] as const

export interface RequestMetrics {
  /** A request has been answered with `code` after `startMs` (monotonic). Watches do not count as slow. */
  record(info: RequestInfo, outcome: { readonly code: number; readonly dryRun: boolean; readonly startMs: number }): void
  /** Events sent by watches of a resource. */
  watchEvents(info: RequestInfo): Counter
  longRunning(info: RequestInfo): Gauge
}

/** The metrics of requests to resources, under upstream's names. */
export function createRequestMetrics(metrics: Metrics, clock: Clock): RequestMetrics {
  const total = metrics.counter(
    'apiserver_request_total',
    'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
    ['verb', 'dry_run', ...ABOUT, 'code'],
  )
  const seconds = metrics.histogram(
    'apiserver_request_duration_seconds',
    'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
    ['verb', 'dry_run', ...ABOUT],
    BUCKETS,
  )
  const events = metrics.counter('apiserver_watch_events_total', 'Number of events sent in watch clients', ['group', 'version', 'resource'])
  const running = metrics.gauge(
    'apiserver_longrunning_requests',
    'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.',
    ['verb', ...ABOUT],
  )
  const series = new Map<string, { readonly total: Counter; readonly seconds: Histogram }>()
  return {
    record(info, { code, dryRun, startMs }) {
      const labels = [verbOf(info), dryRun ? 'All' : '', ...aboutOf(info)]
      const key = `${labels.join('\0')}\0${code}`
      let found = series.get(key)
      if (!found) {
        found = { total: total.with(...labels, String(code)), seconds: seconds.with(...labels) }
        if (series.size < MAX_CACHED) series.set(key, found)
      }
      found.total.inc()
      if (info.verb !== 'watch') found.seconds.observe((clock.monotonic() - startMs) / 1000)
    },
    watchEvents: ({ group, version, resource }) => events.with(group, version, resource),
    longRunning: (info) => running.with(verbOf(info), ...aboutOf(info)),
  }
}

const MAX_CACHED = 5000
const VERBS: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT' }

function verbOf(info: RequestInfo): string {
  return VERBS[info.verb] ?? info.verb.toUpperCase()
}

function aboutOf(info: RequestInfo): string[] {
  const one = info.name !== '' && info.verb !== 'list' && info.verb !== 'watch'
  const scope = one || info.verb === 'create' ? 'resource' : info.namespace === '' ? 'cluster' : 'namespace'
  return [info.group, info.version, info.resource, info.subresource, scope, 'apiserver']
}
