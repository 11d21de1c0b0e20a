import { BlockLayout, type BlockMetric, type MetricLabels, type MetricTable } from './metric-table.ts'

/** Counters of clusters by our names for them; the value is Envoy's name behind `envoy_cluster_`. */
const CLUSTER_COUNTERS = {
  requests: 'upstream_rq_total',
  completed: 'upstream_rq_completed',
  retries: 'upstream_rq_retry',
  retrySuccess: 'upstream_rq_retry_success',
  retryOverflow: 'upstream_rq_retry_overflow',
  retryLimit: 'upstream_rq_retry_limit_exceeded',
  timeout: 'upstream_rq_timeout',
  perTryTimeout: 'upstream_rq_per_try_timeout',
  rxReset: 'upstream_rq_rx_reset',
  pendingOverflow: 'upstream_rq_pending_overflow',
  pendingTotal: 'upstream_rq_pending_total',
  noHost: 'upstream_cx_none_healthy',
  connections: 'upstream_cx_total',
  connectionsClosed: 'upstream_cx_destroy',
  connectFail: 'upstream_cx_connect_fail',
  connectTimeout: 'upstream_cx_connect_timeout',
  connectionOverflow: 'upstream_cx_overflow',
  panic: 'lb_healthy_panic',
  ejections: 'outlier_detection_ejections_enforced_total',
  ejectionsConsecutive5xx: 'outlier_detection_ejections_enforced_consecutive_5xx',
  ejectionsGateway: 'outlier_detection_ejections_enforced_consecutive_gateway_failure',
  ejectionsLocal: 'outlier_detection_ejections_enforced_consecutive_local_origin_failure',
  ejectionsSuccessRate: 'outlier_detection_ejections_enforced_success_rate',
  ejectionsFailurePercentage: 'outlier_detection_ejections_enforced_failure_percentage',
  ejectionsOverflow: 'outlier_detection_ejections_overflow',
  checkSuccess: 'health_check_success',
  checkFailure: 'health_check_failure',
  checkAttempt: 'health_check_attempt',
  updates: 'update_success',
  updateFailures: 'update_failure',
} as const

const CLUSTER_GAUGES = {
  connectionsActive: 'upstream_cx_active',
  requestsActive: 'upstream_rq_active',
  pendingActive: 'upstream_rq_pending_active',
  members: 'membership_total',
  healthy: 'membership_healthy',
  ejectionsActive: 'outlier_detection_ejections_active',
  connectionsOpen: 'circuit_breakers_default_cx_open',
  pendingOpen: 'circuit_breakers_default_rq_pending_open',
  requestsOpen: 'circuit_breakers_default_rq_open',
  retriesOpen: 'circuit_breakers_default_rq_retry_open',
} as const

/** Gauges that workers of one proxy do not share out among them: each has the same endpoints, and a breaker is open or not. */
export const SAME_EVERYWHERE: ReadonlySet<string> = new Set(
  (['members', 'healthy', 'ejectionsActive', 'connectionsOpen', 'pendingOpen', 'requestsOpen', 'retriesOpen'] as const).map(
    (gauge) => `envoy_cluster_${CLUSTER_GAUGES[gauge]}`,
  ),
)

type Slots<T> = { readonly [K in keyof T]: number }

/** Slots of one cluster. */
export interface ClusterStats extends Slots<typeof CLUSTER_COUNTERS>, Slots<typeof CLUSTER_GAUGES> {
  readonly table: MetricTable
  readonly time: number
  /** Counts a response by its status and class. */
  response(status: number): void
}

/** @param name what metrics call the cluster */
export function clusterStats(table: MetricTable, name: string): ClusterStats {
  return new ClusterSlots(table, name) as unknown as ClusterStats
}

const TIME = 'envoy_cluster_upstream_rq_time'
const CLASSES = [1, 2, 3, 4, 5]

const CLUSTER_LAYOUT = new BlockLayout([
  ...Object.values(CLUSTER_COUNTERS).map((metric): BlockMetric => ({ kind: 'counter', name: `envoy_cluster_${metric}` })),
  ...CLASSES.map((n): BlockMetric => ({
    kind: 'counter',
    name: 'envoy_cluster_upstream_rq_xx',
    labels: { envoy_response_code_class: String(n) },
  })),
  ...Object.values(CLUSTER_GAUGES).map((metric): BlockMetric => ({ kind: 'gauge', name: `envoy_cluster_${metric}` })),
  { kind: 'histogram', name: TIME },
])

const offsetOf = (metric: string): number =>
  CLUSTER_LAYOUT.offsets[CLUSTER_LAYOUT.metrics.findIndex(({ name }) => name === `envoy_cluster_${metric}`)] as number

const FIRST_CLASS = offsetOf('upstream_rq_xx')

/** A proxy has many clusters, most of which see no request: slots are counted from the first, and codes come with the first response. */
class ClusterSlots {
  readonly table: MetricTable
  readonly #first: number
  readonly #labels: MetricLabels
  /** By status; 0: none yet. */
  #codes: Int32Array | undefined

  static {
    for (const [key, metric] of Object.entries({ ...CLUSTER_COUNTERS, ...CLUSTER_GAUGES, time: 'upstream_rq_time' })) {
      const offset = offsetOf(metric)
      Object.defineProperty(ClusterSlots.prototype, key, {
        get(this: ClusterSlots) {
          return this.#first + offset
        },
      })
    }
  }

  constructor(table: MetricTable, name: string) {
    this.table = table
    this.#labels = { envoy_cluster_name: name }
    this.#first = table.block(CLUSTER_LAYOUT, this.#labels)
  }

  /** Series of single codes are made when a code is first seen: at most 500 for each cluster, whatever an upstream answers. */
  response(status: number): void {
    const code = status >= 100 && status <= 599 ? status : 599
    const codes = (this.#codes ??= new Int32Array(600))
    // slots count from 0
    let slot = (codes[code] as number) - 1
    if (slot < 0) {
      slot = this.table.counter('envoy_cluster_upstream_rq', { envoy_response_code: String(code), ...this.#labels })
      codes[code] = slot + 1
    }
    this.table.inc(slot)
    this.table.inc(this.#first + FIRST_CLASS + Math.trunc(code / 100) - 1)
  }
}

const HTTP_COUNTERS = {
  requests: 'downstream_rq_total',
  completed: 'downstream_rq_completed',
  rxReset: 'downstream_rq_rx_reset',
  txReset: 'downstream_rq_tx_reset',
  timeout: 'downstream_rq_timeout',
  http1: 'downstream_rq_http1_total',
  http2: 'downstream_rq_http2_total',
  noRoute: 'no_route',
  noCluster: 'no_cluster',
  redirect: 'rq_redirect',
  direct: 'rq_direct_response',
  rbacAllowed: 'rbac_allowed',
  rbacDenied: 'rbac_denied',
  rbacShadowDenied: 'rbac_shadow_denied',
  rateLimited: 'local_rate_limit_rate_limited',
  rateOk: 'local_rate_limit_ok',
  aborts: 'fault_aborts_injected',
  delays: 'fault_delays_injected',
  bandwidth: 'fault_response_rl_injected',
} as const

/** Slots of one HTTP connection manager. */
export interface HttpStats extends Slots<typeof HTTP_COUNTERS> {
  readonly table: MetricTable
  readonly active: number
  readonly time: number
  /** Counts a response by its class. */
  response(status: number): void
}

export function httpStats(table: MetricTable, prefix: string): HttpStats {
  const labels = { envoy_http_conn_manager_prefix: prefix }
  const classes = classSlots(table, 'envoy_http_downstream_rq_xx', labels)
  return {
    ...slots(HTTP_COUNTERS, (metric) => table.counter(`envoy_http_${metric}`, labels)),
    table,
    active: table.gauge('envoy_http_downstream_rq_active', labels),
    time: table.histogram('envoy_http_downstream_rq_time', labels),
    response: (status) => table.inc(classes[Math.min(Math.max(Math.trunc(status / 100), 1), 5) - 1] as number),
  }
}

const LISTENER_COUNTERS = {
  total: 'downstream_cx_total',
  closed: 'downstream_cx_destroy',
  rateLimited: 'local_rate_limit_rate_limited',
  rbacAllowed: 'rbac_allowed',
  rbacDenied: 'rbac_denied',
  rbacShadowDenied: 'rbac_shadow_denied',
} as const

/** Slots of what carries connections: a listener's chain, or a TCP proxy. */
export interface ConnectionStats extends Slots<typeof LISTENER_COUNTERS> {
  readonly table: MetricTable
  readonly active: number
  readonly length: number
  readonly bytesReceived: number
  readonly bytesSent: number
}

/** @param scope `http` or `tcp` @param prefix statPrefix of the connection manager or TCP proxy */
export function connectionStats(table: MetricTable, scope: 'http' | 'tcp', prefix: string): ConnectionStats {
  const labels = scope === 'http' ? { envoy_http_conn_manager_prefix: prefix } : { envoy_tcp_prefix: prefix }
  const name = (metric: string): string => `envoy_${scope}_${metric.startsWith('downstream') ? metric : `connection_${metric}`}`
  return {
    ...slots(LISTENER_COUNTERS, (metric) => table.counter(name(metric), labels)),
    table,
    active: table.gauge(name('downstream_cx_active'), labels),
    length: table.histogram(name('downstream_cx_length_ms'), labels),
    bytesReceived: table.counter(name('downstream_cx_rx_bytes_total'), labels),
    bytesSent: table.counter(name('downstream_cx_tx_bytes_total'), labels),
  }
}

function slots<T extends Readonly<Record<string, string>>>(names: T, slotOf: (metric: string) => number): Slots<T> {
  return Object.fromEntries(Object.entries(names).map(([key, metric]) => [key, slotOf(metric)])) as Slots<T>
}

function classSlots(table: MetricTable, name: string, labels: Readonly<Record<string, string>>): number[] {
  return CLASSES.map((n) => table.counter(name, { envoy_response_code_class: String(n), ...labels }))
}
