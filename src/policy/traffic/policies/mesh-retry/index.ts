/** What is tried again. HTTP and gRPC have conditions of their own; a route that says itself how often (Gateway API) keeps its word. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { HeaderMatch, RetryOn, RetryPolicy } from '../../model/index.ts'
import type { KumaValueMatch } from '../../../../api/kuma.io/v1alpha1/index.ts'
import { compileHeaderMatch } from '../../evaluate/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'
import { valueMatch } from '../../kuma/translate-route.ts'

interface Common {
  readonly numRetries?: number
  readonly perTryTimeout?: number
  readonly backOff?: { readonly baseInterval?: number; readonly maxInterval?: number }
  readonly rateLimitedBackOff?: {
    readonly maxInterval?: number
    readonly resetHeaders?: readonly { readonly name: string; readonly format: 'Seconds' | 'UnixTimestamp' }[]
  }
  readonly retryOn?: readonly string[]
}

/** Milliseconds. */
export interface RetryConf {
  readonly tcp?: { readonly maxConnectAttempt?: number }
  readonly http?: Common & {
    readonly retriableRequestHeaders?: readonly KumaValueMatch[]
    readonly retriableResponseHeaders?: readonly KumaValueMatch[]
    readonly hostSelectionMaxAttempts?: number
  }
  readonly grpc?: Common
  readonly budget?: { readonly percent?: number; readonly minConcurrent?: number }
}

const HTTP_ON: Readonly<Record<string, RetryOn>> = {
  '5xx': '5xx',
  GatewayError: 'gateway-error',
  Reset: 'reset',
  Retriable4xx: 'retriable-4xx',
  ConnectFailure: 'connect-failure',
  RefusedStream: 'refused-stream',
}
const GRPC_ON: Readonly<Record<string, RetryOn>> = {
  Canceled: 'grpc-cancelled',
  DeadlineExceeded: 'grpc-deadline-exceeded',
  Internal: 'grpc-internal',
  ResourceExhausted: 'grpc-resource-exhausted',
  Unavailable: 'grpc-unavailable',
}
/** Where none is said. Source: Kuma, MeshRetry. */
const DEFAULT_HTTP: readonly RetryOn[] = ['gateway-error', 'connect-failure', 'refused-stream']
const DEFAULT_GRPC: readonly RetryOn[] = [
  'grpc-cancelled',
  'connect-failure',
  'gateway-error',
  'refused-stream',
  'reset',
  'grpc-resource-exhausted',
  'grpc-unavailable',
]

export const meshRetry: PolicyPlugin<RetryConf> = {
  type: 'MeshRetry',
  merge: mergeConfs,
  check(conf) {
    const { retriableRequestHeaders = [], retriableResponseHeaders = [] } = httpRetry(conf) ?? {}
    for (const match of [...retriableRequestHeaders, ...retriableResponseHeaders]) compileHeaderMatch(match)
  },
  route(conf, route, { service }) {
    const { action } = route
    if (action.type !== 'forward' || action.retry) return route
    const isGrpc = service.protocol === 'grpc' || route.match.grpc === true
    const retry = isGrpc ? grpcRetry(conf) : httpRetry(conf)
    return retry ? { ...route, action: { ...action, retry } } : route
  },
  outboundTcp({ tcp: conf }, tcp) {
    return conf?.maxConnectAttempt === undefined ? tcp : { ...tcp, maxConnectAttempts: conf.maxConnectAttempt }
  },
}

function httpRetry({ http, budget }: RetryConf): RetryPolicy | undefined {
  if (!http || http.numRetries === 0) return undefined
  const said = http.retryOn ?? []
  const on = said.flatMap((one) => (HTTP_ON[one] ? [HTTP_ON[one]] : []))
  const codes = said.flatMap((one) => (/^\d{3}$/.test(one) ? [Number(one)] : []))
  if (said.includes('EnvoyRatelimited')) codes.push(429)
  const methods = said.flatMap((one) => (one.startsWith('HttpMethod') ? [one.slice('HttpMethod'.length).toUpperCase()] : []))
  const responseHeaders = http.retriableResponseHeaders?.map(headerMatch) ?? []
  if (codes.length > 0) on.push('retriable-status-codes')
  if (responseHeaders.length > 0) on.push('retriable-headers')
  return {
    ...common(http, budget),
    // methods alone narrow what is tried, and say nothing of when
    on: on.length > 0 ? on : DEFAULT_HTTP,
    ...(codes.length > 0 ? { statusCodes: codes } : {}),
    ...(methods.length > 0 ? { methods } : {}),
    ...(http.retriableRequestHeaders?.length ? { retriableRequestHeaders: http.retriableRequestHeaders.map(headerMatch) } : {}),
    ...(responseHeaders.length > 0 ? { retriableResponseHeaders: responseHeaders } : {}),
    ...(http.hostSelectionMaxAttempts === undefined ? {} : { hostSelectionAttempts: http.hostSelectionMaxAttempts }),
  }
}

function grpcRetry({ grpc, budget }: RetryConf): RetryPolicy | undefined {
  if (!grpc || grpc.numRetries === 0) return undefined
  const on = grpc.retryOn?.flatMap((one) => (GRPC_ON[one] ? [GRPC_ON[one]] : [])) ?? []
  return { ...common(grpc, budget), on: on.length > 0 ? on : DEFAULT_GRPC }
}

function common(
  { numRetries = 1, perTryTimeout, backOff, rateLimitedBackOff }: Common,
  budget: RetryConf['budget'],
): Omit<RetryPolicy, 'on'> {
  const baseMs = backOff?.baseInterval ?? 25
  return {
    attempts: Math.max(1, numRetries),
    ...(perTryTimeout === undefined || perTryTimeout === 0 ? {} : { perTryTimeoutMs: perTryTimeout }),
    backOff: { baseMs, maxMs: backOff?.maxInterval ?? baseMs * 10 },
    ...(rateLimitedBackOff?.resetHeaders?.length
      ? {
          rateLimitedBackOff: {
            maxMs: rateLimitedBackOff.maxInterval ?? 300_000,
            headers: rateLimitedBackOff.resetHeaders.map(({ name, format }) => ({
              name: name.toLowerCase(),
              format: format === 'Seconds' ? ('seconds' as const) : ('unix' as const),
            })),
          },
        }
      : {}),
    ...(budget ? { budget: { percent: budget.percent ?? 20, minConcurrent: budget.minConcurrent ?? 3 } } : {}),
  }
}

function headerMatch(match: KumaValueMatch): HeaderMatch {
  return { name: match.name.toLowerCase(), value: valueMatch(match), ...(match.type === 'Absent' ? { invert: true } : {}) }
}
