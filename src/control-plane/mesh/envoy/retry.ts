import type { RetryOn, RetryPolicy } from '../../../policy/traffic/model/index.ts'
import { headerMatcher } from './match.ts'
import { any, type Json, type Note } from './resource.ts'

/** Envoy's names of gRPC's codes have no prefix. */
const GRPC: Partial<Record<RetryOn, string>> = {
  'grpc-cancelled': 'cancelled',
  'grpc-deadline-exceeded': 'deadline-exceeded',
  'grpc-internal': 'internal',
  'grpc-resource-exhausted': 'resource-exhausted',
  'grpc-unavailable': 'unavailable',
}

const PREVIOUS_HOSTS = 'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'

/** `retry_policy` of a route. The budget is the cluster's in Envoy: see cluster.ts. */
export function retryPolicy(retry: RetryPolicy, route: string, note: Note): Json {
  const headers = retry.retriableRequestHeaders ?? []
  const methods = retry.methods ?? []
  if (headers.length > 0 && methods.length > 0) {
    note(`route ${route}: Envoy retries a request that has one of the headers or one of the methods, not both; headers alone are asked for`)
  }
  const on = new Set(retry.on.map((reason) => GRPC[reason] ?? reason))
  if (retry.statusCodes && retry.statusCodes.length > 0) on.add('retriable-status-codes')
  if (retry.retriableResponseHeaders && retry.retriableResponseHeaders.length > 0) on.add('retriable-headers')
  const { rateLimitedBackOff: limited } = retry
  return {
    retry_on: [...on].join(','),
    num_retries: retry.attempts,
    retriable_status_codes: retry.statusCodes,
    per_try_timeout: retry.perTryTimeoutMs || undefined,
    retry_back_off: {
      base_interval: Math.max(1, retry.backOff.baseMs),
      max_interval: Math.max(1, retry.backOff.baseMs, retry.backOff.maxMs),
    },
    rate_limited_retry_back_off: limited && {
      reset_headers: limited.headers.map(({ name, format }) => ({ name, format: format === 'unix' ? 'UNIX_TIMESTAMP' : 'SECONDS' })),
      max_interval: limited.maxMs,
    },
    retriable_request_headers:
      headers.length > 0
        ? headers.map((header) => headerMatcher(header))
        : methods.map((exact) => ({ name: ':method', string_match: { exact } })),
    retriable_headers: retry.retriableResponseHeaders?.map((header) => headerMatcher(header)),
    host_selection_retry_max_attempts: retry.hostSelectionAttempts ?? 5,
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts', typed_config: any(PREVIOUS_HOSTS) }],
  }
}
