import type { HealthCheck, OutlierDetection } from '../../../policy/traffic/model/index.ts'
import type { Json } from './resource.ts'

/** A value above the largest says "never". */
const ALWAYS = 100
const NEVER = 0
const enforcing = (detector: unknown): number => (detector === undefined ? NEVER : ALWAYS)

/** `outlier_detection` of a cluster: what is not asked for is switched off, because Envoy has some of it on. */
export function outlierDetection(outlier: OutlierDetection): Json {
  const { successRate, failurePercentage, splitLocalErrors: split } = outlier
  return {
    interval: outlier.intervalMs,
    base_ejection_time: outlier.baseEjectionMs,
    max_ejection_time: Math.max(outlier.maxEjectionMs, outlier.baseEjectionMs),
    max_ejection_percent: outlier.maxEjectionPercent,
    always_eject_one_host: true,
    split_external_local_origin_errors: split,
    consecutive_5xx: outlier.consecutive5xx,
    enforcing_consecutive_5xx: enforcing(outlier.consecutive5xx),
    consecutive_gateway_failure: outlier.consecutiveGatewayFailures,
    enforcing_consecutive_gateway_failure: enforcing(outlier.consecutiveGatewayFailures),
    consecutive_local_origin_failure: outlier.consecutiveLocalFailures,
    enforcing_consecutive_local_origin_failure: enforcing(outlier.consecutiveLocalFailures),
    success_rate_minimum_hosts: successRate?.minHosts,
    success_rate_request_volume: successRate?.minRequests,
    // thousandths
    success_rate_stdev_factor: successRate && Math.round(successRate.stdevFactor * 1000),
    enforcing_success_rate: enforcing(successRate),
    enforcing_local_origin_success_rate: split ? enforcing(successRate) : NEVER,
    failure_percentage_minimum_hosts: failurePercentage?.minHosts,
    failure_percentage_request_volume: failurePercentage?.minRequests,
    failure_percentage_threshold: failurePercentage && Math.round(failurePercentage.threshold),
    enforcing_failure_percentage: enforcing(failurePercentage),
    enforcing_failure_percentage_local_origin: split ? enforcing(failurePercentage) : NEVER,
  }
}

const hex = (text: string): Json => ({ text: Buffer.from(text).toString('hex') })

/** One of `health_checks` of a cluster. */
export function healthCheck(check: HealthCheck, http2: boolean): Json {
  return {
    interval: check.intervalMs,
    timeout: check.timeoutMs,
    unhealthy_threshold: check.unhealthyThreshold,
    healthy_threshold: check.healthyThreshold,
    initial_jitter: check.initialJitterMs,
    interval_jitter: check.intervalJitterMs,
    interval_jitter_percent: check.intervalJitterPercent,
    no_traffic_interval: check.noTrafficIntervalMs,
    reuse_connection: check.reuseConnection,
    ...kindOf(check, http2),
  }
}

function kindOf(check: HealthCheck, http2: boolean): Json {
  switch (check.type) {
    case 'http':
      return {
        http_health_check: {
          path: check.path,
          host: check.host,
          expected_statuses: check.expectedStatuses.map((status) => ({ start: status, end: status + 1 })),
          request_headers_to_add: check.headers?.map(({ name, value }) => ({ header: { key: name, value: value.replaceAll('%', '%%') } })),
          codec_client_type: http2 ? 'HTTP2' : 'HTTP1',
        },
      }
    case 'tcp':
      return {
        tcp_health_check: {
          send: check.send === undefined ? undefined : hex(check.send),
          receive: check.receive?.map((text) => hex(text)),
        },
      }
    case 'grpc':
      return { grpc_health_check: { service_name: check.service, authority: check.authority } }
  }
}
